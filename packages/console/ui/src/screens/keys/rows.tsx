import { Icon, useFormat, useWords } from '@palier/design'
import { type ReactNode, type RefObject, useLayoutEffect, useRef, useState } from 'react'
import { Link } from 'wouter'
import { useHrefOf } from '../../data/place.ts'
import { idOf, type Listed, literally, type Row } from './tree.ts'
import { words } from './words.ts'

const ROW_REM = 2.5
/** Rows beyond what is seen, so that the keyboard finds a next one and quick scrolling no hole. */
const BEYOND = 12

interface Shown {
  readonly from: number
  readonly to: number
  readonly rowHeight: number
}

/** Which of many rows of one height are near enough to be made. */
function useShown(): { readonly shown: Shown; readonly frame: RefObject<HTMLDivElement | null> } {
  const frame = useRef<HTMLDivElement>(null)
  const [shown, setShown] = useState<Shown>({ from: 0, to: 40, rowHeight: 16 * ROW_REM })
  useLayoutEffect(() => {
    const element = frame.current
    if (element === null) return
    const look = (): void => {
      const rowHeight = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) * ROW_REM
      const from = Math.max(0, Math.floor(element.scrollTop / rowHeight) - BEYOND)
      const to = Math.ceil((element.scrollTop + element.clientHeight) / rowHeight) + BEYOND
      setShown(before =>
        before.from === from && before.to === to && before.rowHeight === rowHeight ? before : { from, to, rowHeight },
      )
    }
    const sizes = new ResizeObserver(look)
    sizes.observe(element)
    element.addEventListener('scroll', look, { passive: true })
    look()
    return () => {
      sizes.disconnect()
      element.removeEventListener('scroll', look)
    }
  }, [])
  return { shown, frame }
}

export interface RowActions {
  isOpen(id: string): boolean
  toggle(id: string): void
  isSelected(id: string): boolean
  select(item: Listed): void
  open(item: Listed): void
}

const indent = (depth: number): { paddingInlineStart: string } => ({
  paddingInlineStart: `${Math.min(depth, 6) * 1.1}rem`,
})

function BranchRow({
  row,
  actions,
}: {
  readonly row: Row & { kind: 'branch' }
  readonly actions: RowActions
}): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const hrefOf = useHrefOf()
  const { branch, depth } = row
  const { id, type, prefix, name, count, bytes } = branch
  const target = prefix === '' ? { kind: 'type', type } : { kind: 'pattern', type, pattern: `${literally(prefix)}*` }
  const isOpen = actions.isOpen(id)
  return (
    <>
      <td className="keys-check" />
      <th scope="row" className="truncate">
        <span className="keys-name" style={indent(depth)}>
          <button
            type="button"
            className="keys-open branch"
            aria-expanded={isOpen}
            data-open
            onClick={() => actions.toggle(id)}
          >
            <Icon name={isOpen ? 'chevronDown' : 'chevronRight'} />
            <span className="truncate">{name}</span>
          </button>
          <span className="small muted nowrap">{t('count', { count })}</span>
        </span>
      </th>
      <td className="keys-wide" colSpan={2} />
      <td className="keys-size number">{format.bytes(bytes)}</td>
      <td className="actions">
        <Link
          className="button quiet small"
          href={hrefOf('/clear', target)}
          aria-label={t('clearBranchOf', { name: prefix === '' ? type : `${type}:${prefix}` })}
          title={t('clearBranch')}
        >
          <Icon name="trash" />
        </Link>
      </td>
    </>
  )
}

function KeyRow({ row, actions }: { readonly row: Row & { kind: 'key' }; readonly actions: RowActions }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const { item, name, depth } = row
  const { subject } = item
  const isPrivate = subject !== undefined
  const why = isPrivate ? t('private', { subject }) : undefined
  return (
    <>
      <td className="keys-check">
        <label className="check">
          <input
            type="checkbox"
            aria-label={t('select', { name: item.key })}
            title={why}
            checked={actions.isSelected(idOf(item))}
            disabled={isPrivate}
            onChange={() => actions.select(item)}
          />
        </label>
      </td>
      <th scope="row" className="truncate">
        <span className="keys-name" style={indent(depth)}>
          <button
            type="button"
            className="keys-open truncate"
            title={item.key}
            data-open
            onClick={() => actions.open(item)}
          >
            {name}
          </button>
          {isPrivate && <span className="small muted truncate">{t('of', { subject })}</span>}
        </span>
      </th>
      <td className="keys-wide">{t(item.state)}</td>
      <td className="keys-wide number">{item.state === 'fresh' ? format.duration(item.ttl) : '–'}</td>
      <td className="keys-size number">{format.bytes(item.bytes)}</td>
      <td className="keys-last truncate small muted" title={item.tags.join(', ')}>
        <span className="keys-wide-text">{item.tags.join(', ')}</span>
      </td>
    </>
  )
}

/** Many rows, of which only those in sight are made. */
export function Rows({ rows, actions }: { readonly rows: readonly Row[]; readonly actions: RowActions }): ReactNode {
  const t = useWords(words)
  const { shown, frame } = useShown()
  const from = Math.min(shown.from, Math.max(0, rows.length - 1))
  const to = Math.min(rows.length, shown.to)
  const space = (count: number): ReactNode =>
    count > 0 && (
      <tr aria-hidden="true" className="keys-space" style={{ height: `${count * shown.rowHeight}px` }}>
        <td />
      </tr>
    )
  return (
    <div className="keys-frame" ref={frame} tabIndex={0} role="group" aria-label={t('caption')}>
      <table className="table keys-table" aria-rowcount={rows.length + 1}>
        <caption className="visually-hidden">{t('caption')}</caption>
        <thead>
          <tr aria-rowindex={1}>
            <td className="keys-check" />
            <th scope="col">{t('key')}</th>
            <th scope="col" className="keys-wide keys-state">
              {t('state')}
            </th>
            <th scope="col" className="keys-wide keys-left number">
              {t('left')}
            </th>
            <th scope="col" className="keys-size number">
              {t('size')}
            </th>
            <th scope="col" className="keys-last">
              <span className="keys-wide-text">{t('tags')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {space(from)}
          {rows.slice(from, to).map((row, i) => (
            <tr key={row.kind === 'branch' ? row.branch.id : idOf(row.item)} data-row aria-rowindex={from + i + 2}>
              {row.kind === 'branch' ? (
                <BranchRow row={row} actions={actions} />
              ) : (
                <KeyRow row={row} actions={actions} />
              )}
            </tr>
          ))}
          {space(rows.length - to)}
        </tbody>
      </table>
    </div>
  )
}
