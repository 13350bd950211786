import type { TestsAnswer } from '../../../../src/api.ts'

export type Run = TestsAnswer['runs'][number]
type Check = Run['checks'][number]

/** The checks this page knows to say in words: their name, and what it means that they are in order. */
const KNOWN = {
  reach: ['reach', 'reachOk'],
  write: ['write', 'writeOk'],
  'read back': ['back', 'backOk'],
  'compare and set': ['compare', 'compareOk'],
  delete: ['delete', 'deleteOk'],
  expiry: ['expiry', 'expiryOk'],
  lock: ['lock', 'lockOk'],
  'at once': ['together', 'togetherOk'],
} as const

type Known = keyof typeof KNOWN
/** Names of words of this screen. */
type Key = (typeof KNOWN)[Known][number] | 'sizedOk'
const isKnown = (check: string): check is Known => Object.hasOwn(KNOWN, check)

/** The numbers in what a check says, in their order. */
const numbersIn = (detail: string): readonly number[] => (detail.match(/\d+(?:\.\d+)?/g) ?? []).map(Number)

/** What a check came to: words of this page for what is in order, the server's own for the rest. */
export interface Line {
  readonly id: string
  readonly ok: boolean
  readonly name: { readonly key: Key } | { readonly text: string }
  readonly said: { readonly key: Key; readonly numbers: readonly number[] } | { readonly text: string }
}

export function lineOf({ check, ok, detail }: Check): Line {
  const known = isKnown(check) ? KNOWN[check] : undefined
  const numbers = numbersIn(detail)
  const isSize = /^\d+ KB$/.test(check)
  const name = known === undefined ? { text: isSize ? check.replace('KB', 'kB') : check } : { key: known[0] }
  if (!ok) return { id: check, ok, name, said: { text: detail } }
  if (isSize && numbers.length === 2) return { id: check, ok, name, said: { key: 'sizedOk', numbers } }
  return { id: check, ok, name, said: known === undefined ? { text: detail } : { key: known[1], numbers } }
}

/** The last run before this one that it can be compared with. `runs`: newest first. */
export function previousOf(run: Run, runs: readonly Run[]): Run | undefined {
  return runs.find(one => one.at < run.at && one.mode === run.mode && one.backend === run.backend)
}
