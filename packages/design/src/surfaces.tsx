import type { HTMLAttributes, ReactNode } from 'react'
import { useId } from 'react'
import { Icon, type IconName } from './icon.tsx'

export type Tone = 'healthy' | 'warming' | 'degraded' | 'down' | 'quiet'

/** A group of things under a heading. `flush`: a table or list touches its edges. */
export function Card({
  title,
  actions,
  flush = false,
  className = '',
  children,
  ...rest
}: Omit<HTMLAttributes<HTMLElement>, 'title'> & {
  readonly title?: ReactNode
  readonly actions?: ReactNode
  readonly flush?: boolean
}): ReactNode {
  const id = useId()
  return (
    <section
      {...rest}
      className={`card${flush ? ' flush' : ''} ${className}`.trimEnd()}
      aria-labelledby={title === undefined ? undefined : id}
    >
      {title !== undefined && (
        <header>
          <h2 id={id}>{title}</h2>
          {actions}
        </header>
      )}
      {children}
    </section>
  )
}

/** Shapes differ as well as colours and words. */
const MARKS: Readonly<Record<Tone, string>> = {
  healthy: 'M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1z',
  warming: 'M6 1a5 5 0 1 0 0 10V1zM6 1a5 5 0 0 1 0 10v-1.2a3.8 3.8 0 0 0 0-7.6z',
  degraded: 'M6 1 11.5 11H.5z',
  down: 'M1.5 1.5h9v9h-9z',
  quiet: 'M6 3a3 3 0 1 0 0 6 3 3 0 0 0 0-6z',
}

/** A state in a word, with a shape and a colour of its own. */
export function Pill({ tone = 'quiet', children }: { readonly tone?: Tone; readonly children: ReactNode }): ReactNode {
  return (
    <span className={`pill ${tone}`}>
      <svg className="mark" viewBox="0 0 12 12" aria-hidden="true">
        <path d={MARKS[tone]} />
      </svg>
      {children}
    </span>
  )
}

const BANNER_ICONS: Readonly<Record<Exclude<Tone, 'quiet'>, IconName>> = {
  healthy: 'check',
  warming: 'info',
  degraded: 'alert',
  down: 'alert',
}

/** A sentence about the whole page: what, since when, what it means, what can be done. */
export function Banner({
  tone,
  title,
  actions,
  children,
}: {
  readonly tone: Exclude<Tone, 'quiet'>
  readonly title: string
  readonly actions?: ReactNode
  readonly children?: ReactNode
}): ReactNode {
  return (
    <div className={`banner ${tone}`} role={tone === 'down' ? 'alert' : 'status'}>
      <Icon name={BANNER_ICONS[tone]} />
      <div className="grow">
        <strong>{title}</strong>
        {children}
      </div>
      {actions}
    </div>
  )
}

/** A number that people look for. */
export function Stat({
  name,
  value,
  more,
  children,
}: {
  readonly name: string
  readonly value: ReactNode
  readonly more?: ReactNode
  readonly children?: ReactNode
}): ReactNode {
  return (
    <div className="stat">
      <dt>{name}</dt>
      <dd className="value">{value}</dd>
      {more !== undefined && <dd className="more">{more}</dd>}
      {children !== undefined && <dd>{children}</dd>}
    </div>
  )
}

/** What will be here, when, and how to make it come. */
export function Empty({
  icon = 'info',
  title,
  children,
  action,
}: {
  readonly icon?: IconName
  readonly title: string
  readonly children?: ReactNode
  readonly action?: ReactNode
}): ReactNode {
  return (
    <div className="empty">
      <Icon name={icon} />
      {/* No heading: it stands wherever a list would, under headings of any rank. */}
      <p className="empty-title">{title}</p>
      {children !== undefined && <p>{children}</p>}
      {action}
    </div>
  )
}

/** Holds the place of what is being read, in its final size. */
export function Skeleton({ lines = 1, height }: { readonly lines?: number; readonly height?: string }): ReactNode {
  return (
    <span className="stack tight" aria-hidden="true">
      {Array.from({ length: lines }, (_, i) => (
        <span key={i} className="skeleton" style={height === undefined ? undefined : { height }} />
      ))}
    </span>
  )
}

/** How far something is. Without `done` it is only known that it goes on. */
export function Progress({
  label,
  done,
  total,
  text,
  tone,
}: {
  readonly label: string
  readonly done?: number
  readonly total?: number
  readonly text?: ReactNode
  readonly tone?: Exclude<Tone, 'quiet' | 'warming'>
}): ReactNode {
  const known = done !== undefined && total !== undefined && total > 0
  const share = known ? Math.min(1, done / total) : undefined
  return (
    <div className="progress">
      <div
        className={tone === undefined ? 'bar' : `bar ${tone}`}
        role="progressbar"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={share === undefined ? undefined : Math.round(share * 100)}
        data-unknown={share === undefined ? '' : undefined}
      >
        <span style={share === undefined ? undefined : { width: `${share * 100}%` }} />
      </div>
      {text !== undefined && <span className="small muted">{text}</span>}
    </div>
  )
}

/** Named amounts beside each other, longest the largest; read as a list, seen as a chart. */
export function Bars({
  items,
}: {
  readonly items: readonly {
    readonly key: string
    readonly name: ReactNode
    readonly value: number
    readonly text: string
    readonly tone?: Exclude<Tone, 'quiet' | 'warming'>
  }[]
}): ReactNode {
  const largest = Math.max(1, ...items.map(item => item.value))
  return (
    <ul className="bars">
      {items.map(({ key, name, value, text, tone }) => (
        <li key={key}>
          <span className="truncate">{name}</span>
          <span>{text}</span>
          <span className={tone === undefined ? 'bar' : `bar ${tone}`} aria-hidden="true">
            <span style={{ width: `${(value / largest) * 100}%` }} />
          </span>
        </li>
      ))}
    </ul>
  )
}
