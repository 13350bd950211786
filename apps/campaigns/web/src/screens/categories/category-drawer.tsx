import { Button, Dialog, Form, TextArea, TextField, useWords } from '@palier/design'
import { type ReactNode, useId, useState } from 'react'
import { type CategoryForm, COLOURS, categoryChange, nameProblem } from '../../data/categories.ts'
import type { Category } from '../../data/context.tsx'
import { words } from './words.ts'

/** A form that is open, or that could not be saved and is opened again with what was typed. */
export interface CategoryDraft {
  readonly form: CategoryForm
  readonly seen?: Category
  readonly problems?: Readonly<Record<string, string>>
}

/** A category in a form, beside the list. */
export function CategoryDrawer({
  draft: { form: given, seen, problems = {} },
  others,
  onSave,
  onClose,
}: {
  readonly draft: CategoryDraft
  readonly others: readonly Category[]
  readonly onSave: (form: CategoryForm, seen: Category | undefined) => void
  readonly onClose: () => void
}): ReactNode {
  const t = useWords(words)
  const [form, setForm] = useState(given)
  const [isTried, setIsTried] = useState(false)
  const found = nameProblem(form.name, others)
  // The rest is checked before it is sent: only who else has the name is known to the server alone.
  const told = form.name === given.name && problems['name'] !== undefined ? t('taken') : undefined
  const unchanged = seen !== undefined && Object.keys(categoryChange(seen, form)).length === 0
  const send = (): void => {
    setIsTried(true)
    if (found === undefined) onSave(form, seen)
  }
  return (
    <Dialog title={seen === undefined ? t('newTitle') : t('editTitle', { name: seen.name })} onClose={onClose}>
      <Form className="stack" noValidate onSend={send}>
        <TextField
          label={t('name')}
          name="name"
          autoComplete="off"
          required
          autoFocus
          value={form.name}
          problem={isTried && found !== undefined ? t(found) : told}
          onChange={event => setForm({ ...form, name: event.currentTarget.value })}
        />
        <Colours value={form.color} onChoose={color => setForm({ ...form, color })} />
        <TextArea
          label={t('description')}
          name="description"
          hint={t('descriptionHint')}
          rows={3}
          maxLength={500}
          value={form.description}
          problem={problems['description']}
          onChange={event => setForm({ ...form, description: event.currentTarget.value })}
        />
        <footer className="row end">
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button kind="primary" type="submit" unavailable={unchanged && t('noChange')}>
            {t(seen === undefined ? 'make' : 'save')}
          </Button>
        </footer>
      </Form>
    </Dialog>
  )
}

function Colours({
  value,
  onChoose,
}: {
  readonly value: string
  readonly onChoose: (colour: string) => void
}): ReactNode {
  const t = useWords(words)
  const name = useId()
  return (
    <fieldset className="stack tight">
      <legend className="label">{t('colour')}</legend>
      <div className="colour-choices">
        {COLOURS.map((colour, at) => (
          <label key={colour} title={t('colourOf', { n: at + 1 })}>
            <input
              type="radio"
              name={name}
              aria-label={t('colourOf', { n: at + 1 })}
              checked={value === colour}
              onChange={() => onChoose(colour)}
            />
            <span className="swatch" style={{ backgroundColor: colour }} />
          </label>
        ))}
        <input
          type="color"
          aria-label={t('ownColour')}
          title={t('ownColour')}
          value={value}
          onChange={event => onChoose(event.currentTarget.value)}
        />
      </div>
    </fieldset>
  )
}
