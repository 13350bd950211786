import { useWords } from '@palier/design'
import type { ClearedAnswer } from '../../../../src/api.ts'
import type { Target } from './target.ts'
import { words } from './words.ts'

/** A target in words. */
export function useTargetText(): (target: Target) => string {
  const t = useWords(words)
  return target => {
    switch (target.kind) {
      case 'all':
        return t('target_all')
      case 'type':
        return t('target_type', { type: target.type })
      case 'tag':
        return t('target_tag', { tag: target.tag })
      case 'pattern': {
        const { pattern, type } = target
        return type === undefined ? t('target_pattern', { pattern }) : t('target_patternOf', { pattern, type })
      }
      case 'key':
        return t('target_key', { key: target.key, type: target.type ?? 'default' })
    }
  }
}

/** How many were cleared, and no more than is known of that. */
export function useClearedText(): (
  target: Target,
  answer: Pick<ClearedAnswer, 'entries' | 'exact'> & Partial<Pick<ClearedAnswer, 'receipt'>>,
) => string {
  const t = useWords(words)
  const targetText = useTargetText()
  return (target, { entries, exact, receipt }) => {
    // While the backend is out, what stands in for it was counted.
    if (entries === undefined || receipt?.shared === 'pending')
      return t('clearedUncounted', { target: targetText(target) })
    return t(exact === true ? 'cleared' : 'clearedAtLeast', { count: entries })
  }
}
