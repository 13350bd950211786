import { useFormat, useWords } from '@palier/design'
import type { AlertsAnswer } from '../../../../src/api.ts'
import { stateWords, tierName } from '../../shell/state.ts'
import { words } from './words.ts'

export type Rule = AlertsAnswer['rules'][number]
export type ActiveAlert = AlertsAnswer['active'][number]

/** Whether an alert comes from this rule. */
export const isOf = ({ id }: Pick<Rule, 'id'>, { signature }: { readonly signature: string }): boolean =>
  signature === id || signature.startsWith(`${id}:`)

/** An alert in the language of the page; one that this page does not know says it in its own words. */
export function useAlertText(): (alert: { readonly signature: string; readonly text: string }) => string {
  const t = useWords(words)
  const nameOf = useWords(stateWords)
  return ({ signature, text }) => {
    const at = signature.indexOf(':')
    const [kind, name] = at === -1 ? [signature, ''] : [signature.slice(0, at), signature.slice(at + 1)]
    switch (kind) {
      case 'backend':
        return t('backendOf', { name: tierName(nameOf, name) })
      case 'misses':
        return t('missesOf', { name })
      case 'budget':
        return t('budgetOf', { name })
      case 'hit-rate':
      case 'errors':
      case 'test':
        return t(kind)
      default:
        return text
    }
  }
}

/** A rule as a sentence. */
export function useRuleText(): (rule: Rule) => string {
  const t = useWords(words)
  const format = useFormat()
  return ({ id, text, threshold, unit, window, minReads, notWhileWarming }) => {
    const limit =
      threshold === undefined ? '' : unit === 'percent' ? format.percent(threshold / 100) : format.number(threshold)
    const values = { threshold: limit, window: format.duration(window ?? 0), reads: format.number(minReads ?? 0) }
    const rest = notWhileWarming ? ` ${t('notWarming')}` : ''
    switch (id) {
      case 'backend':
        return t('rule_backend') + rest
      case 'hit-rate':
        return t('rule_hit_rate', values) + rest
      case 'misses':
        return t('rule_misses', values) + rest
      case 'errors':
        return t('rule_errors', values) + rest
      case 'budget':
        return t('rule_budget', values) + rest
      default:
        return text
    }
  }
}
