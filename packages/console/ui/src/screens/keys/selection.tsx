import { Button, Confirm, useFormat, useToast, useWords } from '@palier/design'
import { type ReactNode, useState } from 'react'
import type { ClearKeysAnswer, ClearKeysRequest } from '../../../../src/api.ts'
import { useAct } from '../../data/act.ts'
import { useWhyNot } from '../../data/roles.ts'
import type { Listed } from './tree.ts'
import { words } from './words.ts'

const MOST = 200
const SAMPLE = 20

/** The keys that were chosen, and clearing them together once somebody has seen which they are. */
export function Selection({
  items,
  onNone,
  onCleared,
}: {
  readonly items: readonly Listed[]
  readonly onNone: () => void
  readonly onCleared: () => void
}): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const toast = useToast()
  const whyNot = useWhyNot()
  const [isAsking, setIsAsking] = useState(false)
  const { busy, run } = useAct<ClearKeysRequest, ClearKeysAnswer>((client, request) =>
    client.change('POST', 'cache/keys/clear', request),
  )
  const count = items.length
  if (count === 0) return null
  const bytes = items.reduce((sum, item) => sum + item.bytes, 0)
  const clear = async (): Promise<void> => {
    const done = await run({ keys: items.map(({ type, key }) => ({ type, key })) })
    if (done === undefined) return
    setIsAsking(false)
    const text = t('cleared', { count: done.entries })
    toast({ text: done.receipt.shared === 'pending' ? `${text} ${t('pending')}` : text })
    onCleared()
  }
  return (
    <section className="staged" aria-label={t('selected', { count })}>
      <strong className="grow" role="status">
        {t('selected', { count })}
      </strong>
      <Button onClick={onNone}>{t('unselect')}</Button>
      <Button
        kind="danger"
        icon="trash"
        unavailable={whyNot('operator') || (count > MOST && t('tooMany'))}
        onClick={() => setIsAsking(true)}
      >
        {t('clearSelected', { count })}
      </Button>
      {isAsking && (
        <Confirm
          title={t('clearSelected', { count })}
          action={t('clearSelected', { count })}
          busy={busy}
          onConfirm={() => void clear()}
          onClose={() => setIsAsking(false)}
        >
          <p>
            {t('confirmBytes', { bytes: format.bytes(bytes) })} {t('confirmText')}
          </p>
          <ul className="sample" tabIndex={0} aria-label={t('caption')}>
            {items.slice(0, SAMPLE).map(({ type, key }) => (
              <li key={`${type}:${key}`}>{`${type}:${key}`}</li>
            ))}
            {count > SAMPLE && <li className="muted">{`+ ${count - SAMPLE}`}</li>}
          </ul>
        </Confirm>
      )}
    </section>
  )
}
