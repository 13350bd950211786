import { Button, Card, Empty, Form, Icon, Progress, Segmented, Select, TextField, useWords } from '@palier/design'
import { type ReactNode, useMemo, useState } from 'react'
import { Link, useLocation } from 'wouter'
import { useBootstrap } from '../../data/context.ts'
import { hashOf, useHrefOf, useParam } from '../../data/place.ts'
import { mayAs } from '../../data/roles.ts'
import { Broken } from '../../shell/broken.tsx'
import { PageHead } from '../../shell/page-head.tsx'
import { KeyDetail } from './detail.tsx'
import { Rows } from './rows.tsx'
import { type Asked, type Scan, useScan } from './scan.ts'
import { Selection } from './selection.tsx'
import {
  flatRows,
  idOf,
  type Listed,
  narrowed,
  type Narrowing,
  openedOf,
  openedText,
  patternOf,
  rowsOf,
  treeOf,
} from './tree.ts'
import { words } from './words.ts'
import './keys.css'

const DELIMITERS = [':', '/', '.', '-', '_'] as const
const WIDE: Narrowing = { tag: '', state: '', larger: '', within: '' }

/** What is asked of the backend: a part of the address, so that a list can be shared. */
function AskForm({ asked, onAsk }: { readonly asked: Asked; readonly onAsk: (asked: Asked) => void }): ReactNode {
  const t = useWords(words)
  const { types } = useBootstrap()
  const [type, setType] = useState(asked.type)
  return (
    <Form
      className="toolbar keys-ask"
      role="search"
      onSend={values => onAsk({ type: values('type'), pattern: patternOf(values('pattern')) })}
    >
      <Select
        name="type"
        label={t('type')}
        value={type}
        onChange={event => setType(event.currentTarget.value)}
        choices={[{ value: '', label: t('allTypes') }, ...types.map(one => ({ value: one, label: one }))]}
      />
      <div className="grow">
        <TextField
          name="pattern"
          type="search"
          label={t('pattern')}
          defaultValue={asked.pattern}
          autoComplete="off"
          spellCheck={false}
          placeholder={type === '' ? 'product:*' : 'paris:*'}
        />
      </div>
      <Button type="submit" kind="primary" icon="search">
        {t('search')}
      </Button>
      <p className="small muted keys-hint">{t('patternHint')}</p>
    </Form>
  )
}

/** How far the scan is, always in sight: a list that is not whole must never look as if it were. */
function ScanLine({ scan }: { readonly scan: Scan }): ReactNode {
  const t = useWords(words)
  const { keys, phase, total, isWhole, error } = scan
  const count = keys.length
  const known = total === undefined ? undefined : Math.max(total, count)
  const text =
    phase === 'done'
      ? t('done', { count })
      : known === undefined
        ? t('unknown', { count })
        : t('about', { count, total: known })
  return (
    <div className="keys-line stack tight">
      {phase === 'reading' && (
        <Progress label={t('progress')} {...(known !== undefined && { done: count, total: known })} />
      )}
      <div className="row between">
        <span className="small muted" role="status">
          {phase === 'failed' && `${t('failed')} `}
          {text} {!isWhole && t('partial')}
        </span>
        {phase === 'reading' ? (
          <Button size="small" icon="stop" onClick={scan.stop}>
            {t('stop')}
          </Button>
        ) : phase === 'done' ? (
          <Button size="small" icon="refresh" onClick={scan.again}>
            {t('again')}
          </Button>
        ) : (
          <Button size="small" icon="play" onClick={scan.goOn}>
            {t('goOn')}
          </Button>
        )}
      </div>
      {phase === 'failed' && <Broken error={error} onRetry={scan.goOn} />}
    </div>
  )
}

function NarrowForm({
  value,
  onChange,
}: {
  readonly value: Narrowing
  readonly onChange: (value: Narrowing) => void
}): ReactNode {
  const t = useWords(words)
  const put = (name: keyof Narrowing) => (event: { readonly currentTarget: { readonly value: string } }) =>
    onChange({ ...value, [name]: event.currentTarget.value })
  return (
    <details className="keys-narrow">
      <summary>
        <Icon name="filter" />
        {t('narrow')}
      </summary>
      <div className="toolbar">
        <TextField label={t('tag')} value={value.tag} onChange={put('tag')} autoComplete="off" spellCheck={false} />
        <Select
          label={t('state')}
          value={value.state}
          onChange={put('state')}
          choices={[
            { value: '', label: t('anyState') },
            { value: 'fresh', label: t('fresh') },
            { value: 'stale', label: t('stale') },
          ]}
        />
        <TextField label={t('larger')} value={value.larger} onChange={put('larger')} inputMode="decimal" />
        <TextField label={t('within')} value={value.within} onChange={put('within')} inputMode="decimal" />
      </div>
    </details>
  )
}

/** No key at all is like what was asked for. */
function NoKey({
  asked,
  scan,
  onDrop,
}: {
  readonly asked: Asked
  readonly scan: Scan
  readonly onDrop: () => void
}): ReactNode {
  const t = useWords(words)
  const hrefOf = useHrefOf()
  const { type, pattern } = asked
  const again = (
    <Button icon="refresh" onClick={scan.again}>
      {t('again')}
    </Button>
  )
  if (type === '' && pattern === '') {
    return <Empty icon="key" title={t('noneAtAll')} action={again} />
  }
  // The name of one key, as far as it was typed: without the wildcards that stand around it.
  const exact = pattern.replace(/^\*|\*$/g, '')
  const mayExplain = type !== '' && exact !== '' && !/[*?\\]/.test(exact)
  return (
    <Empty
      icon="filter"
      title={t('none', { pattern: pattern || `${type}:*` })}
      action={
        <div className="row">
          <Button onClick={onDrop}>{t('drop')}</Button>
          {mayExplain ? (
            <Link className="button" href={hrefOf('/keys', { type, pattern, open: openedText(type, exact) })}>
              {t('whyMissing')}
            </Link>
          ) : (
            again
          )}
        </div>
      }
    >
      {scan.isWhole ? t('noneText') : t('partial')}
    </Empty>
  )
}

function useToggles(): readonly [ReadonlySet<string>, (id: string) => void, (ids: ReadonlySet<string>) => void] {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set())
  const toggle = (id: string): void =>
    setIds(before => {
      const after = new Set(before)
      if (!after.delete(id)) after.add(id)
      return after
    })
  return [ids, toggle, setIds]
}

/** What was read, as a tree or a list. Made anew for each question. */
function Found({
  asked,
  onOpen,
  onDrop,
}: {
  readonly asked: Asked
  readonly onOpen: (item: Listed) => void
  readonly onDrop: () => void
}): ReactNode {
  const t = useWords(words)
  const { role } = useBootstrap()
  const scan = useScan(asked, mayAs(role, 'operator'))
  const [view, setView] = useParam('view')
  const [delimiterText, setDelimiter] = useParam('by')
  const [narrowing, setNarrowing] = useState(WIDE)
  // In a tree of one type its branch is open from the start: a toggle closes it then.
  const [toggled, toggle] = useToggles()
  const [selected, select, setSelected] = useToggles()
  const delimiter = DELIMITERS.find(one => one === delimiterText) ?? ':'
  const shown = useMemo(() => narrowed(scan.keys, narrowing), [scan.keys, narrowing])
  const tree = useMemo(() => treeOf(shown, delimiter), [shown, delimiter])
  const isOpen = (id: string): boolean => toggled.has(id) !== (asked.type !== '' && id === `${asked.type}\u0000`)
  const rows = view === 'list' ? flatRows(shown) : rowsOf(tree, isOpen)
  const items = scan.keys.filter(item => selected.has(idOf(item)))
  if (scan.phase === 'done' && scan.keys.length === 0) {
    return (
      <Card>
        <NoKey asked={asked} scan={scan} onDrop={onDrop} />
      </Card>
    )
  }
  return (
    <>
      <Card flush>
        <div className="keys-tools">
          <div className="toolbar keys-views">
            <Segmented
              label={t('view')}
              value={view === 'list' ? 'list' : 'tree'}
              choices={[
                { value: 'tree', label: t('tree') },
                { value: 'list', label: t('list') },
              ]}
              onChoose={chosen => setView(chosen === 'list' ? 'list' : '')}
            />
            {view !== 'list' && (
              <span className="row">
                <span className="small muted" aria-hidden="true">
                  {t('delimiter')}
                </span>
                <Segmented
                  label={t('delimiter')}
                  value={delimiter}
                  choices={DELIMITERS.map(value => ({ value, label: value }))}
                  onChoose={chosen => setDelimiter(chosen === ':' ? '' : chosen)}
                />
              </span>
            )}
          </div>
          <NarrowForm value={narrowing} onChange={setNarrowing} />
          {shown.length < scan.keys.length && (
            <p className="row small">
              <span role="status">{t('narrowed', { count: shown.length })}</span>
              <Button size="small" onClick={() => setNarrowing(WIDE)}>
                {t('dropNarrow')}
              </Button>
            </p>
          )}
        </div>
        {rows.length > 0 ? (
          <Rows
            rows={rows}
            actions={{
              isOpen,
              toggle,
              isSelected: id => selected.has(id),
              select: item => select(idOf(item)),
              open: onOpen,
            }}
          />
        ) : (
          <p className="muted padded">{t(scan.keys.length === 0 ? 'reading' : 'noneNarrowed')}</p>
        )}
        <ScanLine scan={scan} />
      </Card>
      <Selection
        items={items}
        onNone={() => setSelected(new Set())}
        onCleared={() => {
          setSelected(new Set())
          scan.again()
        }}
      />
    </>
  )
}

/** Before anything is asked: nothing is read, and what could be is said. */
function Intro({ onAsk }: { readonly onAsk: (asked: Asked) => void }): ReactNode {
  const t = useWords(words)
  const { types } = useBootstrap()
  return (
    <Card>
      <Empty
        icon="key"
        title={t('introTitle')}
        action={
          <div className="row keys-types">
            {types.map(type => (
              <Button key={type} size="small" onClick={() => onAsk({ type, pattern: '' })}>
                {type}
              </Button>
            ))}
            <Button size="small" onClick={() => onAsk({ type: '', pattern: '*' })}>
              {t('listAll')}
            </Button>
          </div>
        }
      >
        {t('intro')}
      </Empty>
    </Card>
  )
}

/** The keys that the backend holds: nothing is read until somebody asks. */
export function Keys(): ReactNode {
  const t = useWords(words)
  const [path, navigate] = useLocation()
  const [type] = useParam('type')
  const [pattern] = useParam('pattern')
  const [opened, setOpened] = useParam('open')
  const asked: Asked = { type, pattern: pattern === '*' ? '' : pattern }
  const isAsked = type !== '' || pattern !== ''
  const ask = (next: Asked): void => {
    const all = next.type === '' && next.pattern === '' ? '*' : next.pattern
    navigate(hashOf(path, { type: next.type, pattern: all }))
  }
  const name = openedOf(opened)
  const question = `${type}\u0000${pattern}`
  return (
    <>
      <PageHead title={t('title')} lead={t('lead')} />
      <AskForm key={`form ${question}`} asked={asked} onAsk={ask} />
      {isAsked ? (
        <Found
          key={question}
          asked={asked}
          onOpen={item => setOpened(openedText(item.type, item.key), {})}
          onDrop={() => navigate(hashOf(path, {}))}
        />
      ) : (
        <Intro onAsk={ask} />
      )}
      {name !== undefined && <KeyDetail key={opened} type={name.type} name={name.key} onClose={() => setOpened('')} />}
    </>
  )
}
