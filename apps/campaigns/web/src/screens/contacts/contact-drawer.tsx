import { Banner, Button, Confirm, Dialog, Form, IconButton, TextField, useWords } from '@palier/design'
import { type ReactNode, useState } from 'react'
import {
  type ChangedField,
  type ContactForm,
  changeOf,
  EMPTY_FORM,
  fieldOf,
  type FormField,
  formOf,
  formProblems,
} from '../../data/contacts.ts'
import type { Contact } from '../../data/context.tsx'
import { useCategories } from '../../data/use-categories.ts'
import { CategoryPicker } from './category-picker.tsx'
import type { Draft } from './draft.ts'
import { drawerWords } from './drawer-words.ts'
import { refusalText } from './refusal.ts'

type Attributes = ContactForm['attributes']

/** A contact in a form, beside the list. Closes when it is saved; the list shows it while the server is asked. */
export function ContactDrawer({
  draft,
  onSave,
  onClose,
}: {
  readonly draft: Draft
  readonly onSave: (form: ContactForm, seen: Contact | undefined) => void
  readonly onClose: () => void
}): ReactNode {
  const t = useWords(drawerWords)
  const { seen, conflicts = [] } = draft
  const [form, setForm] = useState(draft.form)
  const [told, setTold] = useState(draft.problems ?? {})
  const [isTried, setIsTried] = useState(false)
  const [isLeaving, setIsLeaving] = useState(false)
  const found = formProblems(form, seen === undefined || seen.bsuid === null)
  const isChanged = JSON.stringify(form) !== JSON.stringify(seen === undefined ? EMPTY_FORM : formOf(seen))

  const change = (part: Partial<ContactForm>): void => {
    setForm({ ...form, ...part })
    // What the server said was about what was there before.
    setTold(before => Object.fromEntries(Object.entries(before).filter(([field]) => !(field in part))))
  }
  const problem = (field: FormField): string | undefined => {
    const mine = found[field]
    if (isTried && mine !== undefined) return t(mine)
    return told[field] === undefined ? undefined : refusalText(t, field, told[field])
  }
  const send = (): void => {
    setIsTried(true)
    if (Object.keys(found).length > 0) return
    onSave(form, seen)
  }
  const leave = (): void => (isChanged ? setIsLeaving(true) : onClose())
  const unchanged = seen !== undefined && Object.keys(changeOf(seen, form)).length === 0

  return (
    <Dialog
      shape="drawer"
      title={seen === undefined ? t('newTitle') : t('editTitle', { name: seen.name })}
      onClose={leave}
    >
      <Form className="stack" noValidate onSend={send}>
        {conflicts.length > 0 && seen !== undefined && (
          <Conflicts draft={draft} fields={conflicts} onTake={field => change(fieldOf(seen, field))} />
        )}
        <TextField
          label={t('name')}
          name="name"
          autoComplete="off"
          required
          autoFocus
          value={form.name}
          problem={problem('name')}
          onChange={event => change({ name: event.currentTarget.value })}
        />
        <TextField
          label={t('phone')}
          name="phone"
          type="tel"
          autoComplete="off"
          hint={t('phoneHint')}
          value={form.phone}
          problem={problem('phone')}
          onChange={event => change({ phone: event.currentTarget.value })}
        />
        <TextField
          label={t('email')}
          name="email"
          type="email"
          autoComplete="off"
          value={form.email}
          problem={problem('email')}
          onChange={event => change({ email: event.currentTarget.value })}
        />
        <CategoryPicker
          legend={t('categories')}
          chosen={form.categoryIds}
          onChoose={categoryIds => change({ categoryIds })}
        />
        <AttributeFields
          attributes={form.attributes}
          problem={problem('attributes')}
          onChange={attributes => change({ attributes })}
        />
        <footer className="row end">
          <Button onClick={leave}>{t('cancel')}</Button>
          <Button kind="primary" type="submit" unavailable={unchanged && t('noChange')}>
            {t(seen === undefined ? 'make' : 'save')}
          </Button>
        </footer>
      </Form>
      {isLeaving && (
        <Confirm
          title={t('discardTitle')}
          action={t('discard')}
          onConfirm={onClose}
          onClose={() => setIsLeaving(false)}
        >
          <p>{t('discardText')}</p>
        </Confirm>
      )}
    </Dialog>
  )
}

function AttributeFields({
  attributes,
  problem,
  onChange,
}: {
  readonly attributes: Attributes
  readonly problem: string | undefined
  readonly onChange: (attributes: Attributes) => void
}): ReactNode {
  const t = useWords(drawerWords)
  const set = (at: number, part: Partial<Attributes[number]>): void =>
    onChange(attributes.map((one, i) => (i === at ? { ...one, ...part } : one)))
  return (
    <fieldset className="stack tight">
      <legend className="label">{t('attributes')}</legend>
      <p className="small muted">{t('attributesHint')}</p>
      {attributes.map((one, at) => (
        // oxlint-disable-next-line react/no-array-index-key -- by its place: the name is what is typed here
        <div key={at} className="attribute-row">
          <input
            className="input"
            aria-label={t('attributeName', { n: at + 1 })}
            placeholder={t('attributeName', { n: at + 1 })}
            maxLength={64}
            value={one.name}
            onChange={event => set(at, { name: event.currentTarget.value })}
          />
          <input
            className="input"
            aria-label={t('attributeText', { n: at + 1 })}
            placeholder={t('attributeText', { n: at + 1 })}
            maxLength={500}
            value={one.text}
            onChange={event => set(at, { text: event.currentTarget.value })}
          />
          <IconButton
            label={t('removeAttribute', { n: at + 1 })}
            icon="trash"
            onClick={() => onChange(attributes.filter((_, i) => i !== at))}
          />
        </div>
      ))}
      {problem !== undefined && (
        <p className="small problem-text" role="alert">
          {problem}
        </p>
      )}
      <div>
        <Button size="small" icon="plus" onClick={() => onChange([...attributes, { name: '', text: '' }])}>
          {t('addAttribute')}
        </Button>
      </div>
    </fieldset>
  )
}

function Conflicts({
  draft: { form, seen },
  fields,
  onTake,
}: {
  readonly draft: Draft
  readonly fields: readonly ChangedField[]
  readonly onTake: (field: ChangedField) => void
}): ReactNode {
  const t = useWords(drawerWords)
  const { categories } = useCategories()
  if (seen === undefined) return null
  const nameOf = (field: ChangedField): string => t(field === 'category_ids' ? 'categories' : field)
  const names = new Map(categories?.map(one => [one.id, one.name]))
  const text = (of: ContactForm, field: ChangedField): string => {
    if (field === 'category_ids') return of.categoryIds.map(id => names.get(id) ?? id).join(', ') || t('nothing')
    if (field === 'attributes') return of.attributes.map(one => `${one.name}: ${one.text}`).join(', ') || t('nothing')
    return of[field] || t('nothing')
  }
  return (
    <>
      <Banner tone="degraded" title={t('conflict')}>
        {t('conflictText')}
      </Banner>
      <table className="table conflicts">
        <caption className="visually-hidden">{t('conflict')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('field')}</th>
            <th scope="col">{t('yours')}</th>
            <th scope="col">{t('theirs')}</th>
          </tr>
        </thead>
        <tbody>
          {fields.map(field => (
            <tr key={field}>
              <th scope="row">{nameOf(field)}</th>
              <td className="wrap-anywhere">{text(form, field)}</td>
              <td className="wrap-anywhere">
                {text(formOf(seen), field)}{' '}
                <Button size="small" aria-label={t('take', { field: nameOf(field) })} onClick={() => onTake(field)}>
                  {t('takeShort')}
                </Button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  )
}
