import { Checkbox, Loading, useWords } from '@palier/design'
import type { ReactNode } from 'react'
import { isNewCategory, useCategories } from '../../data/use-categories.ts'
import { CategoryName } from './parts.tsx'
import { words } from './words.ts'

/** All categories, to be ticked. */
export function CategoryPicker({
  legend,
  chosen,
  onChoose,
}: {
  readonly legend: string
  readonly chosen: readonly string[]
  readonly onChoose: (ids: readonly string[]) => void
}): ReactNode {
  const t = useWords(words)
  const { categories, refetch } = useCategories()
  return (
    <fieldset className="stack tight">
      <legend className="label">{legend}</legend>
      {categories === undefined && <Loading lines={3} onRetry={() => void refetch()} />}
      {categories?.length === 0 && <p className="small muted">{t('noCategories')}</p>}
      <div className="category-choices">
        {categories
          ?.filter(one => !isNewCategory(one))
          .map(({ id, name, color }) => (
            <Checkbox
              key={id}
              label={<CategoryName name={name} color={color} />}
              checked={chosen.includes(id)}
              onChange={event =>
                onChoose(event.currentTarget.checked ? [...chosen, id] : chosen.filter(one => one !== id))
              }
            />
          ))}
      </div>
    </fieldset>
  )
}
