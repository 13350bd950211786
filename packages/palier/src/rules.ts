import { logicalKey, matchesGlob, NAMESPACE } from './key.ts'
import { randomHex } from './lease.ts'

const MOST_RULES = 100

/** A pattern that kills. */
export interface Rule {
  readonly n: number
  readonly glob: string
  /** Undefined: the pattern is matched against `type:key` of every type. */
  readonly type?: string
}

/** What is stored for the namespace. */
export interface NamespaceState {
  readonly stamp: string
  readonly seq: number
  readonly rules: readonly Rule[]
}

/** The state with one more rule. */
export function withRule(state: NamespaceState, rule: Omit<Rule, 'n'>): NamespaceState {
  // The same pattern again: the newer rule kills all that the older one did.
  const rules = state.rules.filter(one => one.glob !== rule.glob || one.type !== rule.type)
  // Too many rules would slow every read: a new namespace stamp says the same and more.
  if (rules.length >= MOST_RULES) return freshNamespace()
  return { stamp: state.stamp, seq: state.seq + 1, rules: [...rules, { ...rule, n: state.seq + 1 }] }
}

/** Whether the rule means this entry. */
export function matches(rule: Omit<Rule, 'n'>, type: string, key: string): boolean {
  if (rule.type === undefined) return matchesGlob(rule.glob, logicalKey(type, key))
  return rule.type === type && matchesGlob(rule.glob, key)
}

export function readNamespace(text: string): NamespaceState {
  try {
    const state = JSON.parse(text) as NamespaceState
    if (typeof state.stamp === 'string' && Array.isArray(state.rules)) return state
  } catch {
    // Written by something else: a stamp no entry carries makes everything a miss, which is the safe answer.
  }
  return freshNamespace()
}

/** The state of a namespace nobody has written yet, or whose record was lost: equal to none before. */
export function freshNamespace(): NamespaceState {
  return { stamp: randomHex(8), seq: 0, rules: [] }
}

/** The namespace after a clear of everything. Its rules are numbered on, so that none of before is taken for one of after. */
export function cleared(stamp: string, stored: string | undefined): NamespaceState {
  return { stamp, seq: stored === undefined ? 0 : readNamespace(stored).seq, rules: [] }
}

/** The namespace with the clear undone: the rules of before it hold again, beside those made since. */
export function restored(before: string, stored: string): NamespaceState {
  const old = readNamespace(before)
  const now = readNamespace(stored)
  const isNewer = (rule: Rule): boolean => now.rules.some(one => one.glob === rule.glob && one.type === rule.type)
  return { stamp: old.stamp, seq: now.seq, rules: [...old.rules.filter(rule => !isNewer(rule)), ...now.rules] }
}

/** What is stored for a stamp nobody has. */
export function randomStamp(name: string): string {
  return name === NAMESPACE ? JSON.stringify(freshNamespace()) : randomHex(8)
}
