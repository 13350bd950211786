import { Banner, Button, CopyButton, Dialog, Select, TextField, useToast, useWords } from '@palier/design'
import { useMutation } from '@tanstack/react-query'
import { type SyntheticEvent, type ReactNode, useState } from 'react'
import { ApiError } from '../../data/client.ts'
import { useClient, useRefresh } from '../../data/context.tsx'
import type { User } from '../../data/people.ts'
import { useProblem } from '../../data/problems.ts'
import { makePassword } from './passwords.ts'
import { RoleChoice } from './role-choice.tsx'
import { userWords } from './words.ts'

interface Person {
  readonly name: string
  readonly email: string
  readonly role: User['role']
  readonly locale: 'en' | 'fr'
}

const localeOf = (locale: string): Person['locale'] => (locale === 'fr' ? 'fr' : 'en')

/** What is wrong with each field, in the language of the page. */
function useFieldProblems(error: unknown): {
  readonly name?: string
  readonly email?: string
  readonly password?: string
  readonly other?: string
} {
  const t = useWords(userWords)
  const say = useProblem()
  if (error === null) return {}
  const { text, fields } = say(error)
  const isTaken = error instanceof ApiError && error.status === 409
  if (Object.keys(fields).length === 0) return { other: text }
  return {
    ...(fields['name'] !== undefined && { name: t('badName') }),
    ...(fields['email'] !== undefined && { email: t(isTaken ? 'taken' : 'badEmail') }),
    ...(fields['password'] !== undefined && { password: t('passwordBad') }),
  }
}

function PersonFields({
  person,
  problems,
  roleUnavailable,
  onChange,
}: {
  readonly person: Person
  readonly problems: { readonly name?: string; readonly email?: string }
  readonly roleUnavailable: string | false
  readonly onChange: (change: Partial<Person>) => void
}): ReactNode {
  const t = useWords(userWords)
  return (
    <>
      <div className="columns">
        <TextField
          label={t('name')}
          value={person.name}
          required
          maxLength={120}
          autoComplete="off"
          problem={problems.name}
          onChange={event => onChange({ name: event.currentTarget.value })}
        />
        <TextField
          label={t('email')}
          type="email"
          value={person.email}
          required
          maxLength={254}
          autoComplete="off"
          problem={problems.email}
          onChange={event => onChange({ email: event.currentTarget.value })}
        />
      </div>
      <RoleChoice value={person.role} unavailable={roleUnavailable} onChoose={role => onChange({ role })} />
      <Select
        label={t('language')}
        value={person.locale}
        choices={[
          { value: 'en', label: t('english') },
          { value: 'fr', label: t('french') },
        ]}
        onChange={event => onChange({ locale: localeOf(event.currentTarget.value) })}
      />
    </>
  )
}

export function EditUser({
  user,
  isSelf,
  onClose,
}: {
  readonly user: User
  readonly isSelf: boolean
  readonly onClose: () => void
}): ReactNode {
  const t = useWords(userWords)
  const toast = useToast()
  const client = useClient()
  const refresh = useRefresh()
  const [person, setPerson] = useState<Person>({ ...user, locale: localeOf(user.locale) })
  const { name, email, role, locale } = person
  const save = useMutation({
    mutationFn: () => {
      const body = {
        ...(name !== user.name && { name }),
        ...(email !== user.email && { email }),
        ...(role !== user.role && { role }),
        ...(locale !== user.locale && { locale }),
      }
      return client.ask('PATCH /users/{id}', { path: { id: user.id }, body })
    },
    onSuccess() {
      toast({ text: t(role === user.role ? 'saved' : 'savedEnds', { name }) })
      void refresh('users')
      onClose()
    },
  })
  const problems = useFieldProblems(save.error)
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Dialog title={t('editTitle', { name: user.name })} onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <PersonFields
          person={person}
          problems={problems}
          roleUnavailable={isSelf && t('selfRole')}
          onChange={change => setPerson({ ...person, ...change })}
        />
        {role !== user.role && <Banner tone="warming" title={t('endsSessions')} />}
        {problems.other !== undefined && <Banner tone="down" title={problems.other} />}
        <footer>
          <Button kind="primary" type="submit" busy={save.isPending}>
            {t('save')}
          </Button>
        </footer>
      </form>
    </Dialog>
  )
}

function FirstPassword({
  password,
  problem,
  onChange,
}: {
  /** Undefined: by a link. */
  readonly password: string | undefined
  readonly problem: string | undefined
  readonly onChange: (password: string | undefined) => void
}): ReactNode {
  const t = useWords(userWords)
  const option = (label: string, isSet: boolean): ReactNode => (
    <label className="check">
      <input
        type="radio"
        name="first-password"
        checked={isSet === (password !== undefined)}
        onChange={() => onChange(isSet ? '' : undefined)}
      />
      <span>{label}</span>
    </label>
  )
  return (
    <fieldset className="stack tight">
      <legend className="label">{t('first')}</legend>
      {option(t('byLink'), false)}
      {option(t('bySetting'), true)}
      {password !== undefined && (
        <>
          <TextField
            label={t('password')}
            hint={t('passwordHint')}
            value={password}
            required
            minLength={12}
            maxLength={200}
            autoComplete="new-password"
            spellCheck={false}
            className="mono"
            problem={problem}
            onChange={event => onChange(event.currentTarget.value)}
          />
          <div className="row">
            <Button size="small" icon="key" onClick={() => onChange(makePassword())}>
              {t('generate')}
            </Button>
            {password !== '' && <CopyButton text={password} />}
          </div>
        </>
      )}
    </fieldset>
  )
}

export function AddUser({ onClose }: { readonly onClose: () => void }): ReactNode {
  const t = useWords(userWords)
  const toast = useToast()
  const client = useClient()
  const refresh = useRefresh()
  const [person, setPerson] = useState<Person>({ name: '', email: '', role: 'agent', locale: 'en' })
  const [password, setPassword] = useState<string | undefined>(undefined)
  const add = useMutation({
    mutationFn: async () => {
      // Nobody ever learns the password of whoever chooses their own.
      await client.ask('POST /users', { body: { ...person, password: password ?? makePassword() } })
      void refresh('users')
      if (password !== undefined) return 'created' as const
      try {
        await client.ask('POST /auth/password/forgot', { body: { email: person.email } })
        return 'createdLink' as const
      } catch {
        // The user is there: only the mail is missing, and the message says so.
        return 'createdNoLink' as const
      }
    },
    onSuccess(outcome) {
      const { name, email } = person
      toast({ text: t(outcome, { name, email }), failed: outcome === 'createdNoLink' })
      onClose()
    },
  })
  const problems = useFieldProblems(add.error)
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault()
    add.mutate()
  }
  return (
    <Dialog title={t('addTitle')} onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <PersonFields
          person={person}
          problems={problems}
          roleUnavailable={false}
          onChange={change => setPerson({ ...person, ...change })}
        />
        <FirstPassword password={password} problem={problems.password} onChange={setPassword} />
        {problems.other !== undefined && <Banner tone="down" title={problems.other} />}
        <footer>
          <Button kind="primary" type="submit" busy={add.isPending}>
            {t('create')}
          </Button>
        </footer>
      </form>
    </Dialog>
  )
}
