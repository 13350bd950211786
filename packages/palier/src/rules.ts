import { logicalKey, matchesGlob } from './key.ts'
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
