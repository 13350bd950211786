import type { Permission } from '../../session/session.ts'
import type { actionWords, subjectWords } from './words.ts'

type Subject = keyof (typeof subjectWords)['en']
type Action = keyof (typeof actionWords)['en']

interface ScopeGroup {
  readonly subject: Subject
  readonly scopes: readonly { readonly scope: Permission; readonly action: Action }[]
}

type Parts = Permission extends infer P ? (P extends `${infer S}:${infer A}` ? [S, A] : never) : never
// Every permission of the server has its words: one that is new there does not compile here.
const partsOf = (scope: Permission): readonly [Parts[0], Parts[1]] => scope.split(':') as Parts

/** Permissions by what they are about, in the order of the server. */
export function groupScopes(scopes: readonly Permission[]): readonly ScopeGroup[] {
  const groups = new Map<Subject, { scope: Permission; action: Action }[]>()
  for (const scope of scopes) {
    const [subject, action] = partsOf(scope)
    const group = groups.get(subject) ?? []
    group.push({ scope, action })
    groups.set(subject, group)
  }
  return [...groups].map(([subject, group]) => ({ subject, scopes: group }))
}

const READING: ReadonlySet<string> = new Set(['read', 'view'])

export const readingOf = (scopes: readonly Permission[]): readonly Permission[] =>
  scopes.filter(scope => READING.has(partsOf(scope)[1]))

export type KeyState = 'active' | 'expired' | 'revoked'

export function stateOf(
  { revoked_at, expires_at }: { readonly revoked_at: number | null; readonly expires_at: number | null },
  now: number,
): KeyState {
  if (revoked_at !== null) return 'revoked'
  return expires_at !== null && expires_at <= now ? 'expired' : 'active'
}
