import { defineWords, useWords } from '@palier/design'
import type { BootstrapAnswer } from '../../../src/api.ts'
import { useBootstrap } from './context.ts'

export type Role = BootstrapAnswer['role']

const RANK: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 }

const words = defineWords(
  {
    operator: 'Only operators and administrators can do this.',
    admin: 'Only administrators can do this.',
  },
  {
    operator: 'Seuls les opérateurs et les administrateurs peuvent le faire.',
    admin: 'Seuls les administrateurs peuvent le faire.',
  },
)

export const mayAs = (role: Role, needed: Role): boolean => RANK[role] >= RANK[needed]

/** Why somebody of this role may not, for `unavailable` of a button; false when they may. */
export function useWhyNot(): (needed: 'operator' | 'admin') => string | false {
  const t = useWords(words)
  const { role } = useBootstrap()
  return needed => (mayAs(role, needed) ? false : t(needed))
}
