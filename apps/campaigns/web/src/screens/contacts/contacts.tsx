import { Banner, Button, Card, Empty, Failure, Loading, useWords } from '@palier/design'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { type ReactNode, useCallback, useState } from 'react'
import { type ContactFilter, EMPTY_FORM, filterOf, isDraft, isNarrowed } from '../../data/contacts.ts'
import type { Contact } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { useCategories } from '../../data/use-categories.ts'
import { useContacts } from '../../data/use-contacts.ts'
import { useContactTotal } from '../../data/use-stats.ts'
import { useMay } from '../../session/session.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { BulkBar } from './bulk-bar.tsx'
import { useContactActions } from './contact-actions.ts'
import { ContactDrawer } from './contact-drawer.tsx'
import { ContactTable } from './contact-table.tsx'
import { DeleteContact } from './delete-contact.tsx'
import { ExportButton } from './export.tsx'
import { useDraft } from './use-draft.ts'
import { Filters } from './filters.tsx'
import { useSelection } from './selection.ts'
import { words } from './words.ts'
import './contacts.css'

const NOBODY: readonly Contact[] = []

/** How many contacts the filter has, where that is known without counting them. */
function useFilterTotal(filter: ContactFilter, loaded: number | undefined): number | undefined {
  const all = useContactTotal()
  const { categories } = useCategories()
  const body = filterOf(filter)
  if (!isNarrowed(filter)) return all
  if (body.category !== undefined && Object.keys(body).length === 1) {
    return categories?.find(one => one.id === body.category)?.contact_count
  }
  return loaded
}

function Head({
  filter,
  total,
  onNew,
}: {
  readonly filter: ContactFilter
  readonly total: number | undefined
  readonly onNew: () => void
}): ReactNode {
  const t = useWords(words)
  const may = useMay()
  const all = useContactTotal()
  return (
    <PageHead title={t('title')} lead={all === undefined ? '\u00a0' : t('total', { count: all })}>
      <ExportButton filter={filterOf(filter)} most={total ?? all} />
      {may('contacts:import') ? (
        <Link to="/contacts/import" className="button">
          {t('import')}
        </Link>
      ) : (
        <Button unavailable={t('noRight')}>{t('import')}</Button>
      )}
      <Button kind="primary" icon="plus" unavailable={!may('contacts:write') && t('noRight')} onClick={onNew}>
        {t('newContact')}
      </Button>
    </PageHead>
  )
}

export function Contacts(): ReactNode {
  const may = useMay()
  const navigate = useNavigate()
  const filter = useSearch({ from: '/shell/contacts' })
  const list = useContacts(filter)
  const { contacts = NOBODY, hasNextPage, start } = list
  const end = start + contacts.length
  const total = useFilterTotal(filter, list.contacts === undefined || hasNextPage ? undefined : end)
  const { draft, open, close } = useDraft()
  const selection = useSelection(contacts)
  const actions = useContactActions()
  const [leaving, setLeaving] = useState<Contact | undefined>(undefined)
  const change = useCallback(
    (next: ContactFilter) => void navigate({ to: '/contacts', search: next, replace: true }),
    [navigate],
  )
  // What was done to the selected meanwhile is in the list.
  const shown = new Map(contacts.map(one => [one.id, one]))
  const chosen = [...selection.contacts.values()].map(one => shown.get(one.id) ?? one).filter(one => !isDraft(one))
  return (
    <>
      <Head filter={filter} total={total} onNew={() => open({ form: EMPTY_FORM })} />
      <Filters filter={filter} onChange={change} />
      <ListState list={list} filter={filter} count={contacts.length} onDrop={() => change({})} />
      {isNarrowed(filter) && contacts.length > 0 && <Found end={end} total={total} />}
      {contacts.length > 0 && (
        <div className={list.error === null && !list.isOffline ? undefined : 'stale'}>
          <Card flush>
            <ContactTable
              list={list}
              contacts={contacts}
              total={total}
              selection={selection}
              mayWrite={may('contacts:write')}
              onEdit={contact => open(actions.edit(contact))}
              onDelete={setLeaving}
              onConsent={(contact, action) =>
                void (action === 'opt_in' ? actions.optIn(contact) : actions.optOut(contact))
              }
            />
          </Card>
        </div>
      )}
      {chosen.length > 0 && <BulkBar contacts={chosen} actions={actions} onClear={selection.clear} />}
      {draft !== undefined && (
        <ContactDrawer
          draft={draft}
          onClose={close}
          onSave={(form, seen) => {
            close()
            void (seen === undefined ? actions.saveNew(form) : actions.saveChange(seen, form))
          }}
        />
      )}
      {leaving !== undefined && (
        <DeleteContact
          contact={leaving}
          onClose={() => setLeaving(undefined)}
          onConfirm={() => {
            setLeaving(undefined)
            void actions.remove(leaving)
          }}
        />
      )}
    </>
  )
}

/** How many the filter finds; as long as that is not known, how many of them are loaded. */
function Found({ end, total }: { readonly end: number; readonly total: number | undefined }): ReactNode {
  const t = useWords(words)
  return (
    <p className="small muted" role="status">
      {total === undefined ? t('foundSome', { count: end }) : t('found', { count: total })}
    </p>
  )
}

function ListState({
  list: { contacts, error, refetch, isOffline },
  filter,
  count,
  onDrop,
}: {
  readonly list: ReturnType<typeof useContacts>
  readonly filter: ContactFilter
  readonly count: number
  readonly onDrop: () => void
}): ReactNode {
  const t = useWords(words)
  const say = useProblem()
  const again = (): void => void refetch()
  if (contacts === undefined && error !== null) return <Failure {...say(error)} onRetry={again} />
  if (contacts === undefined) {
    return (
      <Card>
        <Loading text={t('reading')} lines={8} height="2.5rem" onRetry={again} />
      </Card>
    )
  }
  if (error !== null || isOffline) {
    const detail = error === null ? '' : say(error).text
    return (
      <Banner
        tone="degraded"
        title={t('old')}
        actions={
          <Button size="small" icon="refresh" onClick={again}>
            {t('readAgain')}
          </Button>
        }
      >
        {t('oldText', { detail })}
      </Banner>
    )
  }
  if (count > 0) return null
  if (!isNarrowed(filter)) {
    return (
      <Card>
        <Empty icon="users" title={t('emptyTitle')} action={<Link to="/contacts/import">{t('import')}</Link>}>
          {t('emptyText')}
        </Empty>
      </Card>
    )
  }
  return (
    <Card>
      <Empty icon="search" title={t('noneTitle')} action={<Button onClick={onDrop}>{t('dropFilters')}</Button>}>
        <FilterText filter={filter} />
      </Empty>
    </Card>
  )
}

function FilterText({ filter: { q, category, consent, open } }: { readonly filter: ContactFilter }): ReactNode {
  const t = useWords(words)
  const { categories } = useCategories()
  const filters = [
    q !== undefined && t('fText', { text: q }),
    category !== undefined && t('fCategory', { name: categories?.find(one => one.id === category)?.name ?? '…' }),
    consent !== undefined && t(consent === 'in' ? 'fIn' : 'fOut'),
    open === true && t('fOpen'),
  ]
  return t('noneText', { filters: filters.filter(Boolean).join(', ') })
}
