import { useWords } from '@palier/design'
import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { type ReactNode, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react'
import type { Contact } from '../../data/context.tsx'
import { usePending } from '../../data/context.tsx'
import { isSaving } from '../../data/pending.ts'
import type { useContacts } from '../../data/use-contacts.ts'
import { useNow } from '../../data/use-now.ts'
import { areShortcutsOn, isElsewhere } from '../../shell/shortcuts.ts'
import { ContactRow, type RowActions, WaitingRow } from './contact-row.tsx'
import { useColours } from './parts.tsx'
import type { Selection } from './selection.ts'
import { words } from './words.ts'

const ROW_REM = 3.5

type List = ReturnType<typeof useContacts>

/** How far the table's body is below the top of the page, and how high a row is in the text size of this browser. */
function usePlace() {
  const body = useRef<HTMLTableSectionElement>(null)
  const [place, setPlace] = useState({ top: 0, row: ROW_REM * 16 })
  useLayoutEffect(() => {
    const measure = (): void => {
      const row = ROW_REM * Number.parseFloat(getComputedStyle(document.documentElement).fontSize)
      const top = (body.current?.getBoundingClientRect().top ?? 0) + scrollY
      setPlace(before => (before.top === top && before.row === row ? before : { top, row }))
    }
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(document.body)
    return () => observer.disconnect()
  }, [])
  return { body, ...place }
}

/** `j` and `k` go from row to row, `x` selects the row one is on; Enter opens it, as on every link. */
function useRowKeys(
  body: React.RefObject<HTMLTableSectionElement | null>,
  count: number,
  show: (index: number) => void,
  select: (index: number) => void,
): void {
  const wanted = useRef<number | undefined>(undefined)
  const rowOf = (index: number): HTMLElement | null | undefined =>
    body.current?.querySelector<HTMLElement>(`tr[aria-rowindex="${index + 2}"] a`)
  useEffect(() => {
    // The row may have come with this very rendering.
    if (wanted.current === undefined) return
    const row = rowOf(wanted.current)
    if (row === null || row === undefined) return
    wanted.current = undefined
    row.focus()
  })
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || !areShortcutsOn()) return
      const target = event.target instanceof HTMLElement ? event.target : undefined
      const at = Number(target?.closest('tr[aria-rowindex]')?.getAttribute('aria-rowindex') ?? 1) - 2
      const isTick = target instanceof HTMLInputElement && target.type === 'checkbox' && at >= 0
      if (isElsewhere(event.target) && !isTick) return
      if (event.key === 'x' && at >= 0) return select(at)
      const step = event.key === 'j' ? 1 : event.key === 'k' ? -1 : 0
      if (step === 0 || count === 0) return
      event.preventDefault()
      const next = Math.max(0, Math.min(count - 1, at + step))
      wanted.current = next
      show(next)
      rowOf(next)?.focus()
    }
    addEventListener('keydown', pressed)
    return () => removeEventListener('keydown', pressed)
  })
}

/** Reads the pages that come into sight, in either direction. */
function usePages(
  { start, hasNextPage, hasPreviousPage, isFetching, fetchNextPage, fetchPreviousPage }: List,
  { first, last, end }: { readonly first: number | undefined; readonly last: number | undefined; readonly end: number },
): void {
  const wantsBefore = first !== undefined && first < start && hasPreviousPage
  const wantsMore = last !== undefined && last >= end - 1 && hasNextPage
  useEffect(() => {
    if (isFetching) return
    if (wantsBefore) void fetchPreviousPage()
    else if (wantsMore) void fetchNextPage()
  }, [wantsBefore, wantsMore, isFetching, fetchPreviousPage, fetchNextPage])
}

/** The contacts as a table of which only what is in sight exists, however many there are. */
export function ContactTable({
  list,
  contacts,
  total,
  selection,
  ...actions
}: Omit<RowActions, 'onToggle'> & {
  readonly list: List
  readonly contacts: readonly Contact[]
  /** Undefined: not known before all are loaded. */
  readonly total: number | undefined
  readonly selection: Selection
}): ReactNode {
  const t = useWords(words)
  const pending = usePending()
  const colours = useColours()
  const { body, top, row } = usePlace()
  const { start, hasNextPage } = list
  const end = start + contacts.length
  // oxlint-disable-next-line react/incompatible-library -- nothing it gives goes to a memoized part: rows get plain values
  const rows = useWindowVirtualizer({
    count: end + (hasNextPage ? 1 : 0),
    estimateSize: () => row,
    overscan: 10,
    scrollMargin: top,
    getItemKey: index => contacts[index - start]?.id ?? index,
  })
  useEffect(() => rows.measure(), [rows, row])
  const items = rows.getVirtualItems()
  const [first, last] = [items[0], items.at(-1)]
  usePages(list, { first: first?.index, last: last?.index, end })
  const { toggle } = selection
  const selectAt = useCallback(
    (index: number) => {
      const contact = contacts[index - start]
      if (contact !== undefined) toggle(contact, false)
    },
    [contacts, start, toggle],
  )
  useRowKeys(body, end, index => rows.scrollToIndex(index, { align: 'auto' }), selectAt)
  const above = first === undefined ? 0 : first.start - top
  const below = last === undefined ? 0 : rows.getTotalSize() - (last.end - top)
  const now = useNow()
  return (
    <table
      className="table contact-table"
      aria-rowcount={total === undefined ? (hasNextPage ? -1 : end + 1) : total + 1}
    >
      <caption className="visually-hidden">{t('caption')}</caption>
      <TableHead selection={selection} contacts={contacts} />
      <tbody ref={body}>
        <Spacer height={above} />
        {items.map(({ index, key }) => {
          const contact = contacts[index - start]
          return contact === undefined ? (
            <WaitingRow key={key} index={index + 2} />
          ) : (
            <ContactRow
              key={key}
              {...actions}
              contact={contact}
              index={index + 2}
              isChosen={selection.has(contact.id)}
              isSaving={isSaving(pending, contact.id)}
              colours={colours}
              now={now}
              onToggle={toggle}
            />
          )
        })}
        <Spacer height={below} />
      </tbody>
    </table>
  )
}

function TableHead({
  selection,
  contacts,
}: {
  readonly selection: Selection
  readonly contacts: readonly Contact[]
}): ReactNode {
  const t = useWords(words)
  const chosen = contacts.filter(one => selection.has(one.id)).length
  return (
    <thead>
      <tr aria-rowindex={1}>
        <th scope="col" className="tick">
          <AllTick
            label={t('selectAll')}
            state={chosen === 0 ? 'none' : chosen === contacts.length ? 'all' : 'some'}
            onChange={isOn => (isOn ? selection.all(contacts) : selection.clear())}
          />
        </th>
        <th scope="col">{t('name')}</th>
        <th scope="col" className="phone">
          {t('phone')}
        </th>
        <th scope="col" className="members">
          {t('categories')}
        </th>
        <th scope="col" className="state">
          {t('state')}
        </th>
        <th scope="col" className="actions">
          <span className="visually-hidden">{t('actions')}</span>
        </th>
      </tr>
    </thead>
  )
}

/** The height of the rows that are not there. */
function Spacer({ height }: { readonly height: number }): ReactNode {
  if (height <= 0) return null
  return (
    <tr className="spacer" role="presentation" aria-hidden="true">
      <td style={{ height }} />
    </tr>
  )
}

function AllTick({
  label,
  state,
  onChange,
}: {
  readonly label: string
  readonly state: 'none' | 'some' | 'all'
  readonly onChange: (isOn: boolean) => void
}): ReactNode {
  const ref = useRef<HTMLInputElement>(null)
  useEffect(() => {
    if (ref.current !== null) ref.current.indeterminate = state === 'some'
  }, [state])
  return (
    <label>
      <input
        ref={ref}
        type="checkbox"
        aria-label={label}
        checked={state === 'all'}
        onChange={event => onChange(event.currentTarget.checked)}
      />
    </label>
  )
}
