import { Card, Pill, useFormat, useWords } from '@palier/design'
import type { ReactNode } from 'react'
import type { SnapshotAnswer } from '../../../../src/api.ts'
import { stateWords, TONES, tierName } from '../../shell/state.ts'
import { usualOf } from './chain.ts'
import { words } from './words.ts'

/** A value that should be the same everywhere: what is alone in it says so. */
function Shared({ value, usual }: { readonly value: string; readonly usual: string | undefined }): ReactNode {
  const t = useWords(words)
  return (
    <td>
      <code>{value === '' ? '–' : value}</code>
      {usual !== undefined && value !== usual && (
        <>
          {' '}
          <Pill tone="degraded">{t('differs')}</Pill>
        </>
      )}
    </td>
  )
}

/** Every process of the namespace, as it said of itself. */
export function Processes({ snapshot }: { readonly snapshot: SnapshotAnswer }): ReactNode {
  const t = useWords(words)
  const name = useWords(stateWords)
  const format = useFormat()
  const { fleet, at } = snapshot
  if (fleet === undefined) {
    return (
      <Card title={t('processes')}>
        <p className="muted">{t('noMonitor')}</p>
      </Card>
    )
  }
  const versions = usualOf(fleet.processes.map(one => one.version))
  const configs = usualOf(fleet.processes.map(one => one.config))
  return (
    <Card title={t('processes')} flush>
      {!fleet.readable && <p className="small muted padded">{t('unreadable')}</p>}
      <div className="table-frame" tabIndex={0} role="group" aria-label={t('processes')}>
        <table className="table">
          <caption className="visually-hidden">{t('processes')}</caption>
          <thead>
            <tr>
              <th scope="col">{t('pid')}</th>
              <th scope="col">{t('host')}</th>
              <th scope="col">{t('state')}</th>
              <th scope="col">{t('title')}</th>
              <th scope="col" className="number">
                {t('uptime')}
              </th>
              <th scope="col">{t('version')}</th>
              <th scope="col">{t('config')}</th>
              <th scope="col" className="number">
                {t('memory')}
              </th>
              <th scope="col" className="number">
                {t('heard')}
              </th>
            </tr>
          </thead>
          <tbody>
            {fleet.processes.map(one => (
              <tr key={one.id}>
                <th scope="row">
                  {one.name} <span className="muted">{one.pid}</span>
                </th>
                <td>{one.host}</td>
                <td title={one.reason}>
                  <Pill tone={TONES[one.state]}>{name(one.state)}</Pill>
                </td>
                <td>{tierName(name, one.backend)}</td>
                <td className="number">{format.duration(Math.max(0, at - one.since))}</td>
                <Shared value={one.version} usual={versions} />
                <Shared value={one.config} usual={configs} />
                <td className="number">{one.rss === undefined ? '–' : format.bytes(one.rss)}</td>
                <td className="number">{format.relative(at - one.age, at)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  )
}
