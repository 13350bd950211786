import { Button, Card, IconButton, useToast, useWords, Table } from '@palier/design'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type SyntheticEvent, type ReactNode, useId, useRef, useState } from 'react'
import { useClient } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { type Rate, ratesQuery } from '../../data/settings.ts'
import { type RateField, type RateRow, ratesOf, rowOf, rowProblems } from './money.ts'
import { rateWords } from './whatsapp-words.ts'

const FIELDS = ['category', 'country', 'currency', 'price', 'free', 'from'] as const satisfies readonly RateField[]
const PROBLEMS = {
  category: 'badCategory',
  country: 'badCountry',
  currency: 'badCurrency',
  price: 'badPrice',
  free: 'badFree',
  from: 'badFrom',
  same: 'same',
} as const
const CATEGORIES = ['marketing', 'utility', 'authentication', 'service']

/** One price; each input is named by the head of its column. */
function EditedRow({
  row,
  problems,
  headings,
  onChange,
  onRemove,
}: {
  readonly row: RateRow
  readonly problems: ReadonlySet<RateField | 'same'>
  readonly headings: string
  readonly onChange: (change: Partial<RateRow>) => void
  readonly onRemove: () => void
}): ReactNode {
  const t = useWords(rateWords)
  const id = useId()
  const isNumber = (field: RateField): boolean => field === 'price' || field === 'free'
  return (
    <tr>
      {FIELDS.map(field => (
        <td key={field}>
          <input
            className={isNumber(field) ? 'input number' : 'input'}
            type={field === 'from' ? 'date' : 'text'}
            inputMode={isNumber(field) ? 'decimal' : undefined}
            list={field === 'category' ? `${headings}-categories` : undefined}
            aria-labelledby={`${headings}-${field}`}
            aria-invalid={problems.has(field) ? true : undefined}
            aria-describedby={problems.has(field) ? `${id}-problems` : undefined}
            value={row[field]}
            onChange={event => onChange({ [field]: event.currentTarget.value })}
          />
        </td>
      ))}
      <td className="actions">
        <IconButton
          label={t('remove', { category: row.category, country: row.country })}
          icon="trash"
          size="small"
          onClick={onRemove}
        />
        <span id={`${id}-problems`} className="visually-hidden">
          {[...problems].map(problem => t(PROBLEMS[problem])).join(' ')}
        </span>
      </td>
    </tr>
  )
}

/** The problems of all rows below the table, in words. */
function Problems({ problems }: { readonly problems: readonly (RateField | 'same')[] }): ReactNode {
  const t = useWords(rateWords)
  if (problems.length === 0) return null
  return (
    <ul className="rate-problems small" role="alert">
      {[...new Set(problems)].map(problem => (
        <li key={problem}>{problem === 'same' ? t('same') : `${t(problem)}: ${t(PROBLEMS[problem])}`}</li>
      ))}
    </ul>
  )
}

/** All prices at once: they are replaced together. */
export function RateEditor({
  rates,
  onClose,
}: {
  readonly rates: readonly Rate[]
  readonly onClose: () => void
}): ReactNode {
  const t = useWords(rateWords)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const queries = useQueryClient()
  const headings = useId()
  const [stored] = useState(() => new Map(rates.map((rate, key) => [key, rate])))
  const [rows, setRows] = useState<readonly RateRow[]>(() => rates.map(rowOf))
  const next = useRef(rates.length)
  const problems = new Map(rows.map(row => [row.key, rowProblems(row, rows)]))
  const all = [...problems.values()].flatMap(one => [...one])
  const save = useMutation({
    mutationFn: () => client.ask('PUT /whatsapp/rates', { body: { rates: ratesOf(rows, stored) } }),
    onSuccess(answer) {
      queries.setQueryData(ratesQuery(client).queryKey, answer)
      toast({ text: t('saved') })
      onClose()
    },
    onError: error => toast({ text: say(error).text, failed: true }),
  })
  const add = (): void => {
    const last = rows.at(-1)
    const from = new Date().toISOString().slice(0, 10)
    const blank = { category: 'marketing', country: '', currency: last?.currency ?? 'EUR', price: '', free: '0', from }
    setRows([...rows, { ...blank, key: next.current++ }])
  }
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <form className="stack" onSubmit={submit}>
      <Card flush>
        <Table label={t('title')} className="table rate-table">
          <thead>
            <tr>
              {FIELDS.map(field => (
                <th key={field} id={`${headings}-${field}`} scope="col">
                  {t(field)}
                </th>
              ))}
              <th scope="col">
                <span className="visually-hidden">{t('actions')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(row => (
              <EditedRow
                key={row.key}
                row={row}
                headings={headings}
                problems={problems.get(row.key) ?? new Set()}
                onChange={change => setRows(rows.map(one => (one.key === row.key ? { ...one, ...change } : one)))}
                onRemove={() => setRows(rows.filter(one => one.key !== row.key))}
              />
            ))}
          </tbody>
        </Table>
        <datalist id={`${headings}-categories`}>
          {CATEGORIES.map(category => (
            <option key={category} value={category} />
          ))}
        </datalist>
        <div className="list-end row between">
          <Button size="small" icon="plus" onClick={add}>
            {t('add')}
          </Button>
          <span className="small muted">{t('countryHint')}</span>
        </div>
      </Card>
      <Problems problems={all} />
      <div className="row end">
        <Button onClick={onClose}>{t('cancel')}</Button>
        <Button kind="primary" icon="save" type="submit" busy={save.isPending} unavailable={all.length > 0 && t('fix')}>
          {t('save')}
        </Button>
      </div>
    </form>
  )
}
