import { Card, Segmented, useFormat, useWords } from '@palier/design'
import type { ReactNode } from 'react'
import type { KnownEvent } from '../../data/events.ts'
import { useParam } from '../../data/place.ts'
import { words } from './words.ts'

const KINDS = {
  start: 'start',
  state: 'stateKind',
  health: 'health',
  link: 'link',
  failover: 'failover',
  clear: 'clear',
  policy: 'policy',
  alert: 'alert',
} as const satisfies Readonly<Record<KnownEvent['kind'], keyof (typeof words)['en']>>

const OF_BACKEND: readonly KnownEvent['kind'][] = ['link', 'failover', 'state', 'start']
const SHOWN = 50

/** What happened, newest first. */
export function Events({ events }: { readonly events: readonly KnownEvent[] }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const [filter, setFilter] = useParam('events')
  const chosen = filter === 'all' ? events : events.filter(event => OF_BACKEND.includes(event.kind))
  const shown = chosen.toReversed().slice(0, SHOWN)
  return (
    <Card
      title={t('events')}
      flush
      actions={
        <Segmented
          label={t('show')}
          value={filter === 'all' ? 'all' : ''}
          choices={[
            { value: '', label: t('onlyLinks') },
            { value: 'all', label: t('allEvents') },
          ]}
          onChoose={value => setFilter(value)}
        />
      }
    >
      {shown.length === 0 ? (
        <p className="muted padded">{t('noEvents')}</p>
      ) : (
        <ol className="events" aria-label={t('eventsLead', { count: shown.length })}>
          {shown.map(event => (
            <li key={event.key}>
              <time dateTime={new Date(event.at).toISOString()} className="small muted">
                {format.dateTime(event.at)}
              </time>
              <strong className="small">{t(KINDS[event.kind])}</strong>
              <span className="wrap-anywhere" lang="en">
                {event.text}
              </span>
            </li>
          ))}
        </ol>
      )}
    </Card>
  )
}
