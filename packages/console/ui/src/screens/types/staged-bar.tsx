import { Button, useToast, useWords } from '@palier/design'
import type { ReactNode } from 'react'
import type { ConfigAnswer, ConfigRequest } from '../../../../src/api.ts'
import { useAct } from '../../data/act.ts'
import { useWhyNot } from '../../data/roles.ts'
import { type Policy, revertOf } from './policy.ts'
import { usePolicyText } from './policy-text.ts'
import { useStaged } from './staged.tsx'
import { words } from './words.ts'

/** The changes that wait, until they are applied together or discarded. What was applied can be taken back at once. */
export function StagedBar({ policies }: { readonly policies: Readonly<Record<string, Policy>> }): ReactNode {
  const t = useWords(words)
  const toast = useToast()
  const whyNot = useWhyNot()
  const policyText = usePolicyText()
  const { changes, discard } = useStaged()
  const { busy, run } = useAct<ConfigRequest, ConfigAnswer>((client, request) =>
    client.change('PUT', 'cache/config', request),
  )
  const entries = Object.entries(changes)
  if (entries.length === 0) return null
  const apply = async (): Promise<void> => {
    const back = revertOf(changes, policies)
    const count = entries.length
    if ((await run({ types: changes })) === undefined) return
    discard()
    const undo = async (): Promise<void> => {
      if ((await run(back)) !== undefined) toast({ text: t('undone') })
    }
    toast({ text: t('applied', { count }), action: { label: t('undo'), run: () => void undo() } })
  }
  return (
    <section className="staged" aria-label={t('barRegion')}>
      <div className="grow">
        <strong>{t('bar', { count: entries.length })}</strong>
        <ul className="small muted">
          {entries.map(([type, change]) => {
            const policy = policies[type]
            const after = change === null ? t('code') : policyText(change)
            return (
              <li key={type}>
                {t('change', { type, before: policy === undefined ? '–' : policyText(policy), after })}
              </li>
            )
          })}
        </ul>
      </div>
      <Button onClick={() => discard()}>{t('discard')}</Button>
      <Button kind="primary" busy={busy} unavailable={whyNot('admin')} onClick={() => void apply()}>
        {t('apply')}
      </Button>
    </section>
  )
}
