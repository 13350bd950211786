import { Banner, Button, Card, Form, Progress, useFormat, useWords, Table } from '@palier/design'
import { type DragEvent, type ReactNode, useId, useRef, useState } from 'react'
import { useClient } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import type { ImportJob } from '../../data/contacts.ts'
import { useMay } from '../../session/session.ts'
import { type CsvStart, headProblems, meaningOf, readCsvStart } from './csv-start.ts'
import { importWords } from './import-words.ts'

/** The server reads no more of a header either. */
const START_BYTES = 65_536

const MODES = ['skip', 'update'] as const

const COLUMNS = ['name', 'phone', 'email', 'categories', 'opt_in', 'attr:city'] as const

type Fault = 'notCsv' | 'empty'

function faultOf(file: File): Fault | undefined {
  if (file.size === 0) return 'empty'
  return /\.(csv|txt)$/i.test(file.name) || file.type === 'text/csv' ? undefined : 'notCsv'
}

/** Chooses a file, shows how it begins and sends it. */
export function ImportForm({ onStarted }: { readonly onStarted: (job: string) => void }): ReactNode {
  const t = useWords(importWords)
  const say = useProblem()
  const client = useClient()
  const may = useMay()
  const [file, setFile] = useState<File | undefined>(undefined)
  const [start, setStart] = useState<CsvStart | undefined>(undefined)
  const [fault, setFault] = useState<Fault | undefined>(undefined)
  const [mode, setMode] = useState<(typeof MODES)[number]>('skip')
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string | undefined>(undefined)

  const choose = async (chosen: File | undefined): Promise<void> => {
    if (chosen === undefined) return
    setProblem(undefined)
    setStart(undefined)
    const found = faultOf(chosen)
    setFault(found)
    setFile(found === undefined ? chosen : undefined)
    if (found === undefined) setStart(readCsvStart(await chosen.slice(0, START_BYTES).text()))
  }
  const send = async (): Promise<void> => {
    if (file === undefined) return
    setBusy(true)
    setProblem(undefined)
    try {
      const headers = { 'content-type': 'text/csv' }
      const { value } = await client.upload<ImportJob>(`/contacts/import?mode=${mode}`, file, headers)
      onStarted(value.id)
    } catch (error) {
      const { text, fields } = say(error)
      setProblem([text, ...Object.entries(fields).map(([field, detail]) => `${field}: ${detail}`)].join(' '))
      setBusy(false)
    }
  }
  const { missing, unknown } = headProblems(start?.columns ?? [])
  const isBad = start !== undefined && missing.length + unknown.length > 0
  const unavailable = ((): string | false => {
    if (!may('contacts:import')) return t('noRight')
    if (file === undefined) return t('needsFile')
    return isBad && t('needsHead')
  })()
  return (
    <Form className="stack wide" onSend={() => void send()}>
      <p className="muted">{t('lead')}</p>
      <FileDrop file={file} onChoose={chosen => void choose(chosen)} />
      {fault !== undefined && <Banner tone="degraded" title={t(fault)} />}
      {isBad && (
        <Banner tone="degraded" title={t('badHead')}>
          {missing.length > 0 && <p>{t('missingText', { columns: missing.join(', ') })}</p>}
          {unknown.length > 0 && <p>{t('unknownText', { columns: unknown.join(', ') })}</p>}
        </Banner>
      )}
      {start === undefined ? <Columns /> : <Preview start={start} />}
      <fieldset className="stack tight">
        <legend className="label">{t('known')}</legend>
        {MODES.map(one => (
          <label key={one} className="check">
            <input type="radio" name="mode" value={one} checked={mode === one} onChange={() => setMode(one)} />
            <span>{t(one)}</span>
          </label>
        ))}
        <p className="small muted">{t('knownHint')}</p>
      </fieldset>
      {problem !== undefined && (
        <Banner tone="down" title={t('notSent')}>
          {problem}
        </Banner>
      )}
      {busy && <Progress label={t('sending')} text={t('sending')} />}
      <div className="row">
        <Button kind="primary" type="submit" icon="upload" busy={busy} unavailable={unavailable}>
          {t('start')}
        </Button>
      </div>
    </Form>
  )
}

function FileDrop({
  file,
  onChoose,
}: {
  readonly file: File | undefined
  readonly onChoose: (file: File | undefined) => void
}): ReactNode {
  const t = useWords(importWords)
  const format = useFormat()
  const id = useId()
  const input = useRef<HTMLInputElement>(null)
  const [isOver, setIsOver] = useState(false)
  const drop = (event: DragEvent): void => {
    event.preventDefault()
    setIsOver(false)
    onChoose(event.dataTransfer.files[0])
  }
  return (
    <div
      className="file-drop"
      data-over={isOver || undefined}
      onDragOver={event => {
        event.preventDefault()
        setIsOver(true)
      }}
      onDragLeave={() => setIsOver(false)}
      onDrop={drop}
    >
      <label htmlFor={id}>
        {file === undefined ? t('drop') : t('chosen', { name: file.name, size: format.bytes(file.size) })}
      </label>
      <Button icon="file" onClick={() => input.current?.click()}>
        {t(file === undefined ? 'choose' : 'another')}
      </Button>
      <input
        ref={input}
        id={id}
        type="file"
        accept=".csv,.txt,text/csv"
        className="visually-hidden"
        tabIndex={-1}
        onChange={event => {
          onChoose(event.currentTarget.files?.[0])
          // The same file, mended, may be chosen again.
          event.currentTarget.value = ''
        }}
      />
    </div>
  )
}

/** What a file may have, before there is one. */
function Columns(): ReactNode {
  const t = useWords(importWords)
  return (
    <Card title={t('columns')}>
      <dl className="facts">
        {COLUMNS.map(column => (
          <div key={column} className="fact">
            <dt>
              <code>{column}</code>
            </dt>
            <dd>
              {t(meaningOf(column))}
              {(column === 'name' || column === 'phone') && <span className="muted"> ({t('needed')})</span>}
            </dd>
          </div>
        ))}
      </dl>
    </Card>
  )
}

function Preview({ start: { columns, rows } }: { readonly start: CsvStart }): ReactNode {
  const t = useWords(importWords)
  return (
    <Card title={t('preview')} flush>
      <Table label={t('preview')}>
        <thead>
          <tr>
            {columns.map((column, at) => (
              <th key={`${at}-${column}`} scope="col">
                <code>{column}</code>
                <span className="column-meaning">{t(meaningOf(column))}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, at) => (
            <tr key={`${at}-${row.join()}`}>
              {columns.map((column, i) => (
                <td key={`${i}-${column}`}>{row[i]}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </Table>
    </Card>
  )
}
