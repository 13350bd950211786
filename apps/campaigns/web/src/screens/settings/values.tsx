import {
  Button,
  Card,
  Checkbox,
  Failure,
  Loading,
  Select,
  TextArea,
  TextField,
  useToast,
  useWords,
} from '@palier/design'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type SyntheticEvent, type ReactNode, useState } from 'react'
import type { Answer } from '../../data/client.ts'
import { useClient, useRefresh } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { type SettingsAnswer, settingsQuery } from '../../data/settings.ts'
import { useMay } from '../../session/session.ts'
import { LeaveGuard } from '../../shell/leave-guard.tsx'
import {
  changedValues,
  type FieldProblem,
  grouped,
  kindOf,
  problemOf,
  type SettingSchema,
  schemasOf,
  type Typed,
  typedOf,
} from './fields.ts'
import { MailTest } from './mail-test.tsx'
import { fieldWords, settingsWords } from './words.ts'

type FieldKey = keyof (typeof fieldWords)['en']

const isKnown = (name: string): name is FieldKey => Object.hasOwn(fieldWords.en, name)

/** A setting in words; one that only a newer server knows, in the server's own. */
function useSettingWords(): (name: string, schema: SettingSchema) => { readonly label: string; readonly hint: string } {
  const t = useWords(fieldWords)
  return (name, { description = '' }) => {
    const more = `${name}_more`
    return {
      label: isKnown(name) ? t(name) : name.replaceAll('_', ' '),
      hint: isKnown(more) ? t(more) : description,
    }
  }
}

const PROBLEMS = {
  number: 'problemNumber',
  empty: 'problemEmpty',
  form: 'problemForm',
  long: 'problemLong',
  longWord: 'problemLongWord',
  many: 'problemMany',
} as const satisfies Readonly<Record<FieldProblem['key'], string>>

function useProblemText(): (problem: FieldProblem | undefined) => string | undefined {
  const t = useWords(settingsWords)
  return problem => {
    if (problem === undefined) return undefined
    const { key, ...values } = problem
    return t(PROBLEMS[key], values)
  }
}

function SettingControl({
  name,
  schema,
  typed,
  problem,
  onType,
}: {
  readonly name: string
  readonly schema: SettingSchema
  readonly typed: Typed
  readonly problem: string | undefined
  readonly onType: (typed: Typed) => void
}): ReactNode {
  const t = useWords(settingsWords)
  const of = useWords(fieldWords)
  const { label, hint } = useSettingWords()(name, schema)
  const kind = kindOf(schema)
  if (kind === 'switch') {
    return (
      <Checkbox
        label={label}
        hint={<span className="block">{hint}</span>}
        checked={typed === true}
        onChange={event => onType(event.currentTarget.checked)}
      />
    )
  }
  const text = String(typed)
  const common = { label, problem, value: text }
  if (kind === 'choice') {
    const choices = (schema.enum ?? []).map(value => ({ value, label: isKnown(value) ? of(value) : value }))
    return <Select {...common} hint={hint} choices={choices} onChange={event => onType(event.currentTarget.value)} />
  }
  if (kind === 'words') {
    return (
      <TextArea
        {...common}
        hint={`${hint} ${t('wordsHint')}`}
        rows={Math.min(8, text.split('\n').length + 1)}
        onChange={event => onType(event.currentTarget.value)}
      />
    )
  }
  return (
    <TextField
      {...common}
      hint={hint}
      inputMode={kind === 'number' ? 'numeric' : undefined}
      className={kind === 'number' ? 'number-input' : undefined}
      onChange={event => onType(event.currentTarget.value)}
    />
  )
}

function Reset({
  name,
  schema,
  onAnswer,
}: {
  readonly name: string
  readonly schema: SettingSchema
  readonly onAnswer: (name: string, answer: Answer<SettingsAnswer>) => void
}): ReactNode {
  const t = useWords(settingsWords)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const { label } = useSettingWords()(name, schema)
  const reset = useMutation({
    mutationFn: () => client.ask('DELETE /settings/{key}', { path: { key: name } }),
    onSuccess(answer) {
      toast({ text: t('resetDone', { name: label }) })
      onAnswer(name, answer)
    },
    onError: error => toast({ text: say(error).text, failed: true }),
  })
  const shown = typedOf(schema.default)
  const value = typeof shown === 'boolean' ? t(shown ? 'yes' : 'no') : shown.replaceAll('\n', ', ') || t('nothing')
  const text = t('resetOf', { name: label, value })
  return (
    <Button
      kind="quiet"
      size="small"
      icon="undo"
      aria-label={text}
      title={text}
      busy={reset.isPending}
      onClick={() => reset.mutate()}
    >
      {t('reset')}
    </Button>
  )
}

function useSettingsForm(answer: SettingsAnswer) {
  const t = useWords(settingsWords)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const queries = useQueryClient()
  const refresh = useRefresh()
  const [typed, setTyped] = useState<Readonly<Record<string, Typed>>>({})
  const schemas = schemasOf(answer.schema)
  const changes = changedValues(schemas, answer.values, typed)
  const problems = new Map(
    schemas.flatMap(([name, schema]) => {
      const given = typed[name]
      const problem = given === undefined ? undefined : problemOf(schema, given)
      return problem === undefined ? [] : [[name, problem] as const]
    }),
  )
  const keep = (next: Answer<SettingsAnswer>): void => {
    queries.setQueryData(settingsQuery(client).queryKey, next)
    void refresh('settings')
  }
  const save = useMutation({
    mutationFn: () => client.ask('PATCH /settings', { body: changes }),
    onSuccess(next) {
      keep(next)
      setTyped({})
      toast({ text: t('saved') })
    },
    onError(error) {
      const { text, fields } = say(error)
      if (Object.keys(fields).length === 0) toast({ text, failed: true })
    },
  })
  const refused = save.error === null ? {} : say(save.error).fields
  return {
    schemas,
    typed,
    changes,
    problems,
    refused,
    save,
    type: (name: string, value: Typed): void => setTyped(now => ({ ...now, [name]: value })),
    discard(): void {
      save.reset()
      setTyped({})
    },
    reset(name: string, next: Answer<SettingsAnswer>): void {
      keep(next)
      setTyped(({ [name]: _, ...rest }) => rest)
    },
  }
}

function SaveBar({
  form,
  mayNot,
}: {
  readonly form: ReturnType<typeof useSettingsForm>
  readonly mayNot: string | false
}): ReactNode {
  const t = useWords(settingsWords)
  const count = Object.keys(form.changes).length
  if (count === 0) return null
  return (
    <div className="save-bar row">
      <strong role="status">{t('changed', { count })}</strong>
      <span className="push" />
      <Button onClick={form.discard}>{t('discard')}</Button>
      <Button
        kind="primary"
        icon="save"
        type="submit"
        busy={form.save.isPending}
        unavailable={mayNot || (form.problems.size > 0 && t('fix'))}
      >
        {t('save')}
      </Button>
    </div>
  )
}

function SettingsForm({ answer }: { readonly answer: SettingsAnswer }): ReactNode {
  const t = useWords(settingsWords)
  const may = useMay()
  const textOf = useProblemText()
  const form = useSettingsForm(answer)
  const mayNot = !may('settings:write') && t('mayNot')
  const isDirty = Object.keys(form.changes).length > 0
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault()
    form.save.mutate()
  }
  return (
    <form className="stack settings-form" onSubmit={submit}>
      {grouped(form.schemas).map(({ group, entries }) => (
        <Card key={group} title={t(group)}>
          <div className="stack wide">
            {entries.map(([name, schema]) => (
              <div key={name} className="setting">
                <SettingControl
                  name={name}
                  schema={schema}
                  typed={form.typed[name] ?? typedOf(answer.values[name as keyof typeof answer.values])}
                  problem={textOf(form.problems.get(name)) ?? form.refused[name]}
                  onType={value => form.type(name, value)}
                />
                <div className="setting-side">
                  {answer.defaults.includes(name) ? (
                    <span className="small muted">{t('isDefault')}</span>
                  ) : (
                    mayNot === false && <Reset name={name} schema={schema} onAnswer={form.reset} />
                  )}
                </div>
              </div>
            ))}
          </div>
        </Card>
      ))}
      <SaveBar form={form} mayNot={mayNot} />
      <LeaveGuard isDirty={() => isDirty} />
    </form>
  )
}

/** All settings of the application, as the server tells them. */
export function Values(): ReactNode {
  const say = useProblem()
  const { data, error, refetch } = useQuery(settingsQuery(useClient()))
  if (data === undefined) {
    if (error === null) return <Loading lines={10} />
    const { text, reference } = say(error)
    return <Failure text={text} reference={reference} onRetry={() => void refetch()} />
  }
  return (
    <>
      <SettingsForm answer={data.value} />
      <MailTest />
    </>
  )
}
