import { Pill, type Tone, useWords } from '@palier/design'
import type { ReactNode } from 'react'
import { type MessageStatus, messageStatusWords } from '../../data/statuses.ts'

const TONES: Readonly<Record<MessageStatus, Tone>> = {
  queued: 'quiet',
  sending: 'warming',
  accepted: 'warming',
  sent: 'warming',
  delivered: 'healthy',
  read: 'healthy',
  received: 'healthy',
  failed: 'down',
  no_interaction: 'degraded',
  skipped: 'quiet',
}

export function MessagePill({ status }: { readonly status: MessageStatus }): ReactNode {
  const t = useWords(messageStatusWords)
  return <Pill tone={TONES[status]}>{t(status)}</Pill>
}
