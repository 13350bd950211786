import { Icon, Menu, Skeleton, useWords } from '@palier/design'
import { Link } from '@tanstack/react-router'
import { memo, type ReactNode } from 'react'
import { isDraft } from '../../data/contacts.ts'
import type { Contact } from '../../data/context.tsx'
import { CategoryName, Consent, WindowLeft } from './parts.tsx'
import { words } from './words.ts'

const SHOWN_TAGS = 2

export interface RowActions {
  readonly mayWrite: boolean
  readonly onToggle: (contact: Contact, isRange: boolean) => void
  readonly onEdit: (contact: Contact) => void
  readonly onDelete: (contact: Contact) => void
  readonly onConsent: (contact: Contact, action: 'opt_in' | 'opt_out') => void
}

export interface RowProps extends RowActions {
  readonly contact: Contact
  /** Among all rows, from 1 for the head. */
  readonly index: number
  readonly isChosen: boolean
  readonly isSaving: boolean
  readonly colours: ReadonlyMap<string, string>
  readonly now: number
}

/** One contact of the list. Its height never changes: the list knows where each row is. */
export const ContactRow = memo(function ContactRow({
  contact,
  index,
  isChosen,
  isSaving,
  colours,
  now,
  ...actions
}: RowProps): ReactNode {
  const t = useWords(words)
  const { name, phone, email, categories } = contact
  const isNew = isDraft(contact)
  const second = isSaving ? (
    <span className="small muted saving">
      <span className="spinner" aria-hidden="true" />
      {t('saving')}
    </span>
  ) : (
    <>
      <span className="small muted truncate wide">{email}</span>
      <span className="small muted truncate narrow">{phone ?? email}</span>
    </>
  )
  return (
    <tr aria-rowindex={index} aria-selected={isChosen} aria-busy={isSaving || undefined}>
      <td className="tick">
        <label>
          <input
            type="checkbox"
            aria-label={t('select', { name })}
            checked={isChosen}
            disabled={isNew}
            onChange={event =>
              actions.onToggle(contact, event.nativeEvent instanceof MouseEvent && event.nativeEvent.shiftKey)
            }
          />
        </label>
      </td>
      <th scope="row">
        <div className="who">
          {isNew ? (
            <span className="truncate">{name}</span>
          ) : (
            <Link to="/contacts/$id" params={{ id: contact.id }} className="truncate" preload={false}>
              {name}
            </Link>
          )}
          {second}
        </div>
      </th>
      <td className="phone">{phone}</td>
      <td className="members">
        <div className="tags small" title={categories.map(one => one.name).join(', ')}>
          {categories.slice(0, SHOWN_TAGS).map(one => (
            <CategoryName key={one.id} name={one.name} color={colours.get(one.id)} />
          ))}
          {categories.length > SHOWN_TAGS && <span className="muted">+{categories.length - SHOWN_TAGS}</span>}
        </div>
      </td>
      <td className="state">
        <div className="states">
          <Consent contact={contact} />
          <WindowLeft contact={contact} now={now} />
        </div>
      </td>
      <td className="actions">{!isNew && <RowMenu contact={contact} {...actions} />}</td>
    </tr>
  )
})

function RowMenu({
  contact,
  mayWrite,
  onEdit,
  onDelete,
  onConsent,
}: RowActions & { readonly contact: Contact }): ReactNode {
  const t = useWords(words)
  const isIn = contact.opt_in_at !== null && contact.opt_out_at === null
  const reason = mayWrite ? undefined : t('noRight')
  return (
    <Menu label={t('actionsOf', { name: contact.name })}>
      <button type="button" disabled={!mayWrite} title={reason} onClick={() => onEdit(contact)}>
        <Icon name="edit" />
        {t('edit')}
      </button>
      {!isIn && (
        <button type="button" disabled={!mayWrite} title={reason} onClick={() => onConsent(contact, 'opt_in')}>
          <Icon name="check" />
          {t('optIn')}
        </button>
      )}
      {contact.opt_out_at === null && (
        <button type="button" disabled={!mayWrite} title={reason} onClick={() => onConsent(contact, 'opt_out')}>
          <Icon name="stop" />
          {t('optOut')}
        </button>
      )}
      <hr />
      <button type="button" className="danger" disabled={!mayWrite} title={reason} onClick={() => onDelete(contact)}>
        <Icon name="trash" />
        {t('delete')}
      </button>
    </Menu>
  )
}

/** The place of a row that is not loaded. */
export function WaitingRow({ index }: { readonly index: number }): ReactNode {
  return (
    <tr aria-rowindex={index}>
      <td className="tick" />
      <th scope="row">
        <Skeleton />
      </th>
      <td className="phone">
        <Skeleton />
      </td>
      <td className="members">
        <Skeleton />
      </td>
      <td className="state">
        <Skeleton />
      </td>
      <td className="actions" />
    </tr>
  )
}
