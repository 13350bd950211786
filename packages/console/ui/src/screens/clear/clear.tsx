import {
  Bars,
  Button,
  Card,
  Failure,
  Form,
  Loading,
  Select,
  TextField,
  useFormat,
  useToast,
  useWords,
} from '@palier/design'
import { type ReactNode, useCallback, useEffect, useRef, useState } from 'react'
import { useSearch } from 'wouter'
import type { ClearedAnswer, PreviewAnswer } from '../../../../src/api.ts'
import { useAct } from '../../data/act.ts'
import { ApiError } from '../../data/client.ts'
import { useBootstrap, useClient } from '../../data/context.ts'
import { useProblem } from '../../data/problem.ts'
import { useWhyNot } from '../../data/roles.ts'
import { useSnapshot } from '../../data/snapshot.ts'
import { useTypes } from '../../data/types.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { useClearedText, useTargetText } from './said.ts'
import { type Chosen, KINDS, kindOf, requestOf, type Target, targetOf, undoableOf } from './target.ts'
import { LatestClears, UndoList, useUndo } from './undo-list.tsx'
import { useUndoable } from './undoable.ts'
import { words } from './words.ts'
import './clear.css'

/** What the address says is to be cleared; links come from types, keys and the palette. */
function chosenIn(search: string): Chosen {
  const params = new URLSearchParams(search)
  const text = (name: string): string => params.get(name) ?? ''
  return {
    ...{ type: text('type'), tag: text('tag'), pattern: text('pattern'), key: text('key'), subject: text('subject') },
    kind: kindOf(text('kind')),
  }
}

function TargetFields({
  chosen,
  onChange,
}: {
  readonly chosen: Chosen
  readonly onChange: (change: Partial<Chosen>) => void
}): ReactNode {
  const t = useWords(words)
  const { types, namespace } = useBootstrap()
  const { data } = useTypes()
  const { kind, type, tag, pattern, key, subject } = chosen
  const scope = data?.types.find(one => one.type === type)?.policy.scope
  const typeChoices = types.map(one => ({ value: one, label: one }))
  const put = (name: keyof Chosen) => (event: { readonly currentTarget: { readonly value: string } }) =>
    onChange({ [name]: event.currentTarget.value })
  const text = { autoComplete: 'off', spellCheck: false, required: true } as const
  const typeField = (first: string, required: boolean): ReactNode => (
    <Select
      required={required}
      label={t('type')}
      value={type}
      onChange={put('type')}
      choices={[{ value: '', label: first }, ...typeChoices]}
    />
  )
  if (kind === 'all') return <p>{t('allText', { namespace })}</p>
  if (kind === 'tag')
    return <TextField {...text} label={t('tag')} hint={t('tagHint')} value={tag} onChange={put('tag')} />
  if (kind === 'type') return typeField(t('choose'), true)
  return (
    <div className="columns">
      {typeField(t(kind === 'pattern' ? 'allTypes' : 'choose'), kind === 'key')}
      {kind === 'pattern' ? (
        <TextField {...text} label={t('pattern')} hint={t('patternHint')} value={pattern} onChange={put('pattern')} />
      ) : (
        <TextField {...text} label={t('key')} value={key} onChange={put('key')} />
      )}
      {kind === 'key' && (scope === 'role' || scope === 'user' || subject !== '') && (
        <TextField {...text} label={t('subject')} hint={t('subjectHint')} value={subject} onChange={put('subject')} />
      )}
    </div>
  )
}

/** What will have to be made anew, in words; no number that nobody knows. */
function Cost({ preview }: { readonly preview: PreviewAnswer }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const { data } = useTypes()
  const { entries, cost, types } = preview
  const busiest = data?.types
    .filter(({ type, reads }) => type in types && reads > 0)
    .reduce<{ readonly type: string; readonly reads: number } | undefined>(
      (most, one) => (most === undefined || one.reads > most.reads ? one : most),
      undefined,
    )
  return (
    <section className="stack tight">
      <h3>{t('cost')}</h3>
      <p>
        {t('costLoads', { count: entries })} {cost >= 1 && t('costTime', { time: format.duration(cost) })}
      </p>
      {data !== undefined && busiest !== undefined && (
        <p>{t('costBusiest', { type: busiest.type, reads: busiest.reads, from: format.time(data.from) })}</p>
      )}
    </section>
  )
}

function PreviewView({ preview }: { readonly preview: PreviewAnswer }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const { entries, exact, bytes, types, sample } = preview
  if (entries === 0 && exact) return <p>{t('nothing')}</p>
  const byType = Object.entries(types).toSorted(([, a], [, b]) => b - a)
  return (
    <>
      <p>
        <strong className="clear-count">{t(exact ? 'exact' : 'atLeast', { count: entries })}</strong>
        <span className="block muted">
          {t('bytes', { bytes: format.bytes(bytes) })} {!exact && t('atLeastText')}
        </span>
      </p>
      <Cost preview={preview} />
      <div className="columns">
        {byType.length > 1 && (
          <section className="stack tight">
            <h3>{t('byType')}</h3>
            <Bars
              items={byType.map(([type, count]) => ({
                key: type,
                name: type,
                value: count,
                text: format.number(count),
              }))}
            />
          </section>
        )}
        <section className="stack tight">
          <h3>{t('sample')}</h3>
          <ul className="sample" tabIndex={0} aria-label={t('sample')}>
            {sample.map((key, i) => (
              // Entries of different people have the same key.
              <li key={`${i} ${key}`}>{key}</li>
            ))}
          </ul>
        </section>
      </div>
    </>
  )
}

/** Clears, says what came of it, and offers to put it back. */
function useClear(): { readonly busy: boolean; run(target: Target): Promise<ClearedAnswer | undefined> } {
  const t = useWords(words)
  const toast = useToast()
  const { namespace } = useBootstrap()
  const clearedText = useClearedText()
  const undo = useUndo()
  const { add } = useUndoable()
  const { busy, run } = useAct<Target, ClearedAnswer>((client, target) => {
    const { method, path, body, query } = requestOf(target, namespace)
    return client.change(method, path, body, query)
  })
  return {
    busy,
    async run(target) {
      const answer = await run(target)
      if (answer === undefined) return undefined
      const one = undoableOf(target, answer, Date.now())
      if (one !== undefined) add(one)
      const text = clearedText(target, answer)
      toast({
        text: answer.receipt.shared === 'pending' ? `${text} ${t('pendingShort')}` : text,
        ...(one !== undefined && { action: { label: t('undo'), run: () => undo.run(one) } }),
      })
      return answer
    },
  }
}

/** What the preview came to; neither while it is under way. */
interface Looked {
  readonly data?: PreviewAnswer
  readonly error?: unknown
}

/** The second step: what would go, and the button that makes it so. */
function Decision({
  target,
  onCleared,
}: {
  readonly target: Target
  readonly onCleared: (answer: ClearedAnswer, target: Target) => void
}): ReactNode {
  const t = useWords(words)
  const client = useClient()
  const say = useProblem()
  const whyNot = useWhyNot()
  const targetText = useTargetText()
  const { namespace } = useBootstrap()
  const { busy, run } = useClear()
  const [typed, setTyped] = useState('')
  const heading = useRef<HTMLHeadingElement>(null)
  const [{ data, error }, setLooked] = useState<Looked>({})
  const look = useCallback(
    () =>
      void client
        .change<PreviewAnswer>('POST', 'cache/preview', { target })
        .then(found => setLooked({ data: found }))
        .catch((why: unknown) => setLooked({ error: why })),
    [client, target],
  )
  useEffect(() => {
    look()
    heading.current?.focus()
  }, [look])
  // What stands in for the backend meanwhile was counted, not the backend: it may hold more.
  const isAway = useSnapshot().snapshot?.health.tiers.some(tier => tier.role === 'shared' && !tier.used) === true
  const isOut = isAway || (error instanceof ApiError && error.code.startsWith('PALIER_STORE_'))
  const isSure = target.kind !== 'all' || typed === namespace
  const unavailable = whyNot(target.kind === 'all' ? 'admin' : 'operator') || (!isSure && t('confirmFirst'))
  const clear = async (): Promise<void> => {
    const answer = await run(target)
    if (answer !== undefined) onCleared(answer, target)
  }
  const label =
    data === undefined || isAway || data.entries === 0
      ? t('clear')
      : t(data.exact ? 'clearCount' : 'clearAtLeast', { count: data.entries })
  return (
    <section className="card stack" aria-labelledby="preview">
      <h2 id="preview" ref={heading} tabIndex={-1}>
        {t('previewOf', { target: targetText(target) })}
      </h2>
      {data === undefined && error === undefined && <Loading text={t('previewing')} lines={3} />}
      <div className="stack" role="status">
        {data !== undefined && !isAway && <PreviewView preview={data} />}
        {isOut && <p>{t('uncounted')}</p>}
      </div>
      {error !== undefined && !isOut && (
        <Failure text={say(error).text} reference={say(error).reference} onRetry={look} />
      )}
      {(data !== undefined || isOut) && (
        <Form className="stack tight" onSend={() => void clear()}>
          <p className="small muted">{t(target.kind === 'pattern' || target.kind === 'key' ? 'final' : 'undoable')}</p>
          {target.kind === 'all' && (
            <TextField
              label={t('confirm', { namespace })}
              value={typed}
              onChange={event => setTyped(event.currentTarget.value)}
              autoComplete="off"
              autoCapitalize="off"
              spellCheck={false}
            />
          )}
          <div>
            <Button type="submit" kind="danger" icon="trash" busy={busy} unavailable={unavailable}>
              {label}
            </Button>
          </div>
        </Form>
      )}
    </section>
  )
}

/** What became of the last clear, no more than its receipt says. */
function Outcome({ answer, target }: { readonly answer: ClearedAnswer; readonly target: Target }): ReactNode {
  const t = useWords(words)
  const clearedText = useClearedText()
  const { shared } = answer.receipt
  const isPending = shared === 'pending'
  return (
    <div className={`banner ${isPending ? 'degraded' : 'healthy'}`} role="status">
      <div className="grow">
        <strong>{clearedText(target, answer)}</strong>
        <p>{t(isPending ? 'pending' : shared === 'none' ? 'none' : 'acked')}</p>
      </div>
    </div>
  )
}

/** The two steps, beginning with what the address says. */
function Steps({ begun }: { readonly begun: Chosen }): ReactNode {
  const t = useWords(words)
  const whyNot = useWhyNot()
  const [chosen, setChosen] = useState(begun)
  const change = (part: Partial<Chosen>): void => setChosen(before => ({ ...before, ...part }))
  const [previewed, setPreviewed] = useState<{ readonly target: Target; readonly times: number } | undefined>(undefined)
  const [done, setDone] = useState<{ readonly answer: ClearedAnswer; readonly target: Target } | undefined>(undefined)
  const target = targetOf(chosen)
  // Another target needs a look of its own.
  const isSame = previewed !== undefined && JSON.stringify(previewed.target) === JSON.stringify(target)
  const preview = (): void => {
    if (target === undefined) return
    setDone(undefined)
    setPreviewed({ target, times: (previewed?.times ?? 0) + 1 })
  }
  return (
    <>
      <Card>
        <Form className="stack" onSend={preview}>
          <fieldset>
            <legend className="label">{t('what')}</legend>
            <div className="kinds">
              {KINDS.map(kind => (
                <label key={kind} className="check kind">
                  <input
                    type="radio"
                    name="kind"
                    value={kind}
                    checked={chosen.kind === kind}
                    onChange={() => change({ kind })}
                  />
                  <span>
                    {t(`kind_${kind}`)}
                    <span className="block small muted">{t(`kind_${kind}Hint`)}</span>
                  </span>
                </label>
              ))}
            </div>
          </fieldset>
          <TargetFields chosen={chosen} onChange={change} />
          <div>
            <Button type="submit" kind="primary" icon="eye" unavailable={whyNot('operator')}>
              {t('preview')}
            </Button>
          </div>
        </Form>
      </Card>
      {done !== undefined && <Outcome answer={done.answer} target={done.target} />}
      {isSame && done === undefined && (
        <Decision
          key={previewed.times}
          target={previewed.target}
          onCleared={(answer, cleared) => setDone({ answer, target: cleared })}
        />
      )}
    </>
  )
}

/** One place to clear a key, a type, a tag, a pattern or everything: always in two steps. */
export function Clear(): ReactNode {
  const t = useWords(words)
  const search = useSearch()
  return (
    <>
      <PageHead title={t('title')} lead={t('lead')} />
      <Steps key={search} begun={chosenIn(search)} />
      <UndoList />
      <LatestClears />
    </>
  )
}
