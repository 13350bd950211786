import { useFormat, useWords } from '@palier/design'
import { words } from './words.ts'

/** How long entries live, in words. */
export function usePolicyText(): (policy: { readonly ttl: number; readonly grace: number }) => string {
  const t = useWords(words)
  const format = useFormat()
  return ({ ttl, grace }) =>
    grace === 0
      ? t('policyText', { ttl: format.duration(ttl) })
      : t('policyGrace', { ttl: format.duration(ttl), grace: format.duration(grace) })
}
