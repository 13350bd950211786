import { useWords } from '@palier/design'
import type { ReactNode } from 'react'
import type { Role } from '../../data/people.ts'
import { userWords } from './words.ts'

export const ROLES = ['agent', 'manager', 'admin'] as const satisfies readonly Role[]

/** The roles, each with what it may do. */
export function RoleChoice({
  value,
  unavailable,
  onChoose,
}: {
  readonly value: Role
  readonly unavailable: string | false
  readonly onChoose: (role: Role) => void
}): ReactNode {
  const t = useWords(userWords)
  return (
    <fieldset className="stack tight">
      <legend className="label">{t('role')}</legend>
      {ROLES.map(role => (
        <label key={role} className="check">
          <input
            type="radio"
            name="role"
            value={role}
            checked={role === value}
            disabled={unavailable !== false && role !== value}
            onChange={() => onChoose(role)}
          />
          <span>
            {t(role)}
            <span className="small muted block">{t(`${role}More`)}</span>
          </span>
        </label>
      ))}
      {unavailable !== false && <p className="small muted">{unavailable}</p>}
    </fieldset>
  )
}
