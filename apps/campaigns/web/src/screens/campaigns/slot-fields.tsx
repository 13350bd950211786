import { Select, TextField, useWords } from '@palier/design'
import type { ReactNode } from 'react'
import type { Template } from '../../data/campaigns.ts'
import { EMPTY_SLOT, type Slot, type Slots } from './draft.ts'
import { editorWords } from './editor-words.ts'
import { CONTACT_FIELDS } from './template.ts'
import { useTemplateStatus } from './templates-panel.tsx'

const ATTRIBUTE = 'attributes.'
const APPROVED = 'APPROVED'

/** Which template; those that cannot be sent stay in sight with their state. */
export function TemplateSelect({
  label,
  none,
  hint,
  templates,
  accountId,
  value,
  onChange,
}: {
  readonly label: string
  readonly none: string
  readonly hint?: string
  readonly templates: readonly Template[]
  readonly accountId: string
  readonly value: string
  readonly onChange: (id: string) => void
}): ReactNode {
  const t = useWords(editorWords)
  const said = useTemplateStatus()
  const choices = templates
    .filter(one => accountId === '' || one.account_id === accountId || one.id === value)
    .toSorted((a, b) => Number(b.status === APPROVED) - Number(a.status === APPROVED))
    .map(({ id, name, language, category, status }) => {
      const plain = t('templateState', { name, language, category: category.toLowerCase() })
      return {
        value: id,
        label: status === APPROVED ? plain : t('templateBad', { label: plain, status: said(status) }),
      }
    })
  return (
    <Select
      label={label}
      {...(hint !== undefined && { hint })}
      value={value}
      choices={[{ value: '', label: none }, ...choices]}
      onChange={event => onChange(event.target.value)}
    />
  )
}

function SlotField({
  name,
  slot,
  onChange,
}: {
  readonly name: string
  readonly slot: Slot
  readonly onChange: (slot: Slot) => void
}): ReactNode {
  const t = useWords(editorWords)
  const isAttribute = slot.by === 'field' && slot.field.startsWith(ATTRIBUTE)
  const chosen = slot.by === 'text' ? 'text' : isAttribute ? 'attribute' : slot.field
  const choose = (value: string): void => {
    if (value === 'text') onChange({ ...slot, by: 'text' })
    else onChange({ ...slot, by: 'field', field: value === 'attribute' ? ATTRIBUTE : value })
  }
  return (
    <fieldset className="slot">
      <legend className="label">{t('placeholder', { name })}</legend>
      <Select
        label={t('by')}
        value={chosen}
        choices={[
          { value: 'text', label: t('byText') },
          ...CONTACT_FIELDS.map(field => ({ value: field, label: t(`field_${field}`) })),
          { value: 'attribute', label: t('byAttribute') },
        ]}
        onChange={event => choose(event.target.value)}
      />
      {slot.by === 'text' && (
        <TextField
          label={t('text')}
          value={slot.text}
          maxLength={1024}
          onChange={event => onChange({ ...slot, text: event.target.value })}
        />
      )}
      {isAttribute && (
        <TextField
          label={t('attribute')}
          hint={t('attributeHint')}
          value={slot.field.slice(ATTRIBUTE.length)}
          maxLength={60}
          onChange={event => onChange({ ...slot, field: `${ATTRIBUTE}${event.target.value.trim()}` })}
        />
      )}
      {slot.by === 'field' && (
        <TextField
          label={t('fallbackText')}
          hint={t('fallbackHint')}
          value={slot.fallback}
          maxLength={1024}
          onChange={event => onChange({ ...slot, fallback: event.target.value })}
        />
      )}
    </fieldset>
  )
}

/** One field for each placeholder of the template. */
export function SlotFields({
  template,
  slots,
  onChange,
}: {
  readonly template: Template | undefined
  readonly slots: Slots
  readonly onChange: (slots: Slots) => void
}): ReactNode {
  if (template === undefined) return null
  return template.placeholders.map(name => (
    <SlotField
      key={name}
      name={name}
      slot={slots[name] ?? EMPTY_SLOT}
      onChange={slot => onChange({ ...slots, [name]: slot })}
    />
  ))
}
