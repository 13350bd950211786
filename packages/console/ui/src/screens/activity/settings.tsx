import { Card, Icon, useWords } from '@palier/design'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Link } from 'wouter'
import type { ConfigAnswer } from '../../../../src/api.ts'
import { useBootstrap, useClient } from '../../data/context.ts'
import { useHrefOf } from '../../data/place.ts'
import { stateWords, tierName } from '../../shell/state.ts'
import { NotYet, Table } from './table.tsx'
import { words } from './words.ts'

type Setting = ConfigAnswer['settings'][string]
function SettingRow({ name, setting }: { readonly name: string; readonly setting: Setting }): ReactNode {
  const t = useWords(words)
  const { value, source, locked } = setting
  return (
    <tr>
      <th scope="row">
        <code>{name}</code>
      </th>
      <td className="wrap-anywhere">
        {value === '' ? <span className="muted">{t('notSet')}</span> : <code>{value}</code>}
      </td>
      <td>
        <span className="row">
          {locked !== false && <Icon name="lock" />}
          {t(`source_${source}`)}
        </span>
        {locked !== false && <span className="block small muted">{t(`locked_${locked}`)}</span>}
      </td>
    </tr>
  )
}

function Rights(): ReactNode {
  const t = useWords(words)
  const { role, name } = useBootstrap()
  return (
    <Card title={t('people')}>
      <div className="stack tight">
        <p>{t('you', { name: name ?? '–', role: t(role) })}</p>
        <dl className="facts">
          {(['viewer', 'operator', 'admin'] as const).map(one => (
            <div key={one} className="shortcut">
              <dt>{t(one)}</dt>
              <dd>{t(`rights_${one}`)}</dd>
            </div>
          ))}
        </dl>
      </div>
    </Card>
  )
}

/** What the cache is told by, and where each value comes from; who may do what. */
export function Settings(): ReactNode {
  const t = useWords(words)
  const name = useWords(stateWords)
  const client = useClient()
  const hrefOf = useHrefOf()
  const query = useQuery({
    queryKey: ['config'],
    queryFn: ({ signal }) => client.get<ConfigAnswer>('cache/config', { signal }),
  })
  const { data } = query
  if (data === undefined) {
    return <NotYet query={query} text={t('settingsReading')} />
  }
  const changed = Object.entries(data.types).flatMap(([type, policy]) => (policy.declared === undefined ? [] : [type]))
  return (
    <>
      <Card
        flush
        title={t('settings')}
        actions={
          <a className="button small" href="./api/cache/config" download="palier-settings.json">
            <Icon name="download" />
            {t('exportSettings')}
          </a>
        }
      >
        <p className="padded">
          {t('settingsLead')} {t('inUse', { name: tierName(name, data.backend) })}
        </p>
        <Table caption={t('settings')} columns={[{ name: t('setting') }, { name: t('value') }, { name: t('source') }]}>
          {Object.entries(data.settings).map(([one, setting]) => (
            <SettingRow key={one} name={one} setting={setting} />
          ))}
        </Table>
        {changed.length > 0 && (
          <p className="padded">
            <Link href={hrefOf('/types')}>{t('policiesChanged', { types: changed.join(', ') })}</Link>
          </p>
        )}
      </Card>
      <Rights />
    </>
  )
}
