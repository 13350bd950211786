import { Button, Dialog, Form, Select, TextArea, useToast, useWords } from '@palier/design'
import type { ReactNode } from 'react'
import type { AcknowledgeAnswer, AcknowledgeRequest } from '../../../../src/api.ts'
import { useAct } from '../../data/act.ts'
import { useWhyNot } from '../../data/roles.ts'
import { type ActiveAlert, useAlertText } from './said.ts'
import { words } from './words.ts'

const LENGTHS = { h1: '1h', h4: '4h', d1: '1d', d7: '7d', d30: '30d' } as const
const LONGEST = 300

export function useAcknowledge() {
  return useAct<AcknowledgeRequest, AcknowledgeAnswer>((client, request) =>
    client.change('POST', 'cache/alerts/acknowledge', request),
  )
}

/** Says that somebody knows, why nothing is done now, and until when that holds. */
export function Acknowledge({
  alert,
  onClose,
}: {
  readonly alert: ActiveAlert
  readonly onClose: () => void
}): ReactNode {
  const t = useWords(words)
  const toast = useToast()
  const whyNot = useWhyNot()
  const alertText = useAlertText()
  const { busy, run } = useAcknowledge()
  const send = async (reason: string, length: string): Promise<void> => {
    if ((await run({ signature: alert.signature, reason, for: length })) === undefined) return
    toast({ text: t('ackDone') })
    onClose()
  }
  return (
    <Dialog title={t('acknowledgeOf', { text: alertText(alert) })} onClose={onClose}>
      <p>{t('ackText')}</p>
      <Form className="stack" onSend={values => void send(values('reason').trim(), values('for'))}>
        <TextArea name="reason" label={t('ackReason')} maxLength={LONGEST} required />
        <Select
          name="for"
          label={t('ackFor')}
          defaultValue={LENGTHS.h4}
          choices={(['h1', 'h4', 'd1', 'd7', 'd30'] as const).map(key => ({ value: LENGTHS[key], label: t(key) }))}
        />
        <footer>
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button type="submit" kind="primary" busy={busy} unavailable={whyNot('operator')}>
            {t('acknowledge')}
          </Button>
        </footer>
      </Form>
    </Dialog>
  )
}
