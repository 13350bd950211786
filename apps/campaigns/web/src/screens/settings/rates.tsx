import { Banner, Button, Card, Empty, Failure, Loading, useFormat, useWords, Table } from '@palier/design'
import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { useClient } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { type Rate, type Rates, ratesQuery } from '../../data/settings.ts'
import { useMay } from '../../session/session.ts'
import { RateEditor } from './rate-editor.tsx'
import { rateWords } from './whatsapp-words.ts'

const COLUMNS = ['category', 'country', 'price', 'free', 'from'] as const
const NUMBERS: ReadonlySet<string> = new Set(['price', 'free'])

function Row({ rate }: { readonly rate: Rate }): ReactNode {
  const t = useWords(rateWords)
  const format = useFormat()
  const { category, country, currency, micros, free_per_month, effective_from } = rate
  return (
    <tr>
      <th scope="row">{category}</th>
      <td>{country === '*' ? t('all') : country}</td>
      <td className="number">{format.money(micros / 1e6, currency, 6)}</td>
      <td className="number">{format.number(free_per_month)}</td>
      <td className="nowrap">{format.date(effective_from)}</td>
    </tr>
  )
}

function RateList({ rates }: { readonly rates: Rates }): ReactNode {
  const t = useWords(rateWords)
  return (
    <Card flush>
      <Table label={t('title')}>
        <thead>
          <tr>
            {COLUMNS.map(column => (
              <th key={column} scope="col" className={NUMBERS.has(column) ? 'number' : undefined}>
                {t(column)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rates.rates.map(rate => (
            <Row key={`${rate.category} ${rate.country} ${rate.effective_from}`} rate={rate} />
          ))}
        </tbody>
      </Table>
    </Card>
  )
}

/** What messages cost. */
export function RateTable(): ReactNode {
  const t = useWords(rateWords)
  const say = useProblem()
  const may = useMay()
  const [editing, setEditing] = useState(false)
  const { data, error, refetch } = useQuery(ratesQuery(useClient()))
  if (data === undefined) {
    if (error === null) return <Loading lines={6} />
    const { text, reference } = say(error)
    return <Failure text={text} reference={reference} onRetry={() => void refetch()} />
  }
  const { value } = data
  const edit = (
    <Button icon="edit" unavailable={!may('accounts:write') && t('mayNot')} onClick={() => setEditing(true)}>
      {t('edit')}
    </Button>
  )
  return (
    <>
      <div className="row between">
        <p className="muted grow">{t('lead')}</p>
        {!editing && edit}
      </div>
      {value.examples && (
        <Banner tone="warming" title={t('examples')}>
          <p>
            {t('examplesText')}
            {value.source !== null && ` ${t('source', { source: value.source })}`}
          </p>
        </Banner>
      )}
      {editing ? (
        <RateEditor rates={value.rates} onClose={() => setEditing(false)} />
      ) : value.rates.length === 0 ? (
        <Empty title={t('none')} action={edit}>
          {t('noneText')}
        </Empty>
      ) : (
        <RateList rates={value} />
      )}
    </>
  )
}
