import { Checkbox, SearchField, Select, useWords } from '@palier/design'
import { type ReactNode, useEffect, useState } from 'react'
import type { ContactFilter } from '../../data/contacts.ts'
import { useCategories } from '../../data/use-categories.ts'
import { words } from './words.ts'

const SEARCH_AFTER_MS = 250

/** What the list is narrowed to and how it is sorted; all of it is in the address. */
export function Filters({
  filter,
  onChange,
}: {
  readonly filter: ContactFilter
  readonly onChange: (filter: ContactFilter) => void
}): ReactNode {
  const t = useWords(words)
  const { categories } = useCategories()
  const { q = '', category = '', consent = '', open, sort } = filter
  // What was typed holds until the address changes, by this or by other ways: back, and a filter that is dropped.
  const [typed, setTyped] = useState({ text: q, since: q })
  const text = typed.since === q ? typed.text : q
  useEffect(() => {
    if (text === q) return
    const timer = setTimeout(() => onChange(withField(filter, 'q', text === '' ? undefined : text)), SEARCH_AFTER_MS)
    return () => clearTimeout(timer)
  }, [text, q, filter, onChange])
  const isSearched = q.trim() !== ''
  return (
    <search className="contact-tools">
      <SearchField
        label={t('search')}
        value={text}
        maxLength={254}
        onChange={event => setTyped({ text: event.currentTarget.value, since: q })}
      />
      <Select
        label={t('category')}
        value={category}
        choices={[
          { value: '', label: t('anyCategory') },
          ...(categories ?? []).map(({ id, name }) => ({ value: id, label: name })),
        ]}
        onChange={event => onChange(withField(filter, 'category', event.currentTarget.value || undefined))}
      />
      <Select
        label={t('consent')}
        value={consent}
        choices={[
          { value: '', label: t('anyConsent') },
          { value: 'in', label: t('consentIn') },
          { value: 'out', label: t('consentOut') },
        ]}
        onChange={({ currentTarget: { value } }) =>
          onChange(withField(filter, 'consent', value === 'in' || value === 'out' ? value : undefined))
        }
      />
      <Select
        label={t('sort')}
        value={isSearched ? 'search' : (sort ?? 'newest')}
        disabled={isSearched}
        choices={
          isSearched
            ? [{ value: 'search', label: t('bySearch') }]
            : [
                { value: 'newest', label: t('newest') },
                { value: 'name', label: t('byName') },
              ]
        }
        onChange={event =>
          onChange(withField(filter, 'sort', event.currentTarget.value === 'name' ? 'name' : undefined))
        }
      />
      <Checkbox
        label={t('open')}
        checked={open === true}
        onChange={event => onChange(withField(filter, 'open', event.currentTarget.checked ? true : undefined))}
      />
    </search>
  )
}

function withField<K extends keyof ContactFilter>(
  filter: ContactFilter,
  field: K,
  value: ContactFilter[K] | undefined,
): ContactFilter {
  const { [field]: _, ...others } = filter
  return value === undefined ? others : { ...others, [field]: value }
}
