import {
  Banner,
  Button,
  Card,
  Confirm,
  Empty,
  Failure,
  Icon,
  Loading,
  Menu,
  useFormat,
  useToast,
  useWords,
} from '@palier/design'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { type CategoryForm, categoryChange, EMPTY_CATEGORY } from '../../data/categories.ts'
import { type Category, usePending } from '../../data/context.tsx'
import { isSaving } from '../../data/pending.ts'
import { useProblem } from '../../data/problems.ts'
import {
  isNewCategory,
  useCategories,
  useCreateCategory,
  useDeleteCategory,
  useUpdateCategory,
} from '../../data/use-categories.ts'
import { useContactTotal } from '../../data/use-stats.ts'
import { useMay } from '../../session/session.ts'
import { FreshnessNote } from '../../shell/freshness-note.tsx'
import { PageHead } from '../../shell/page-head.tsx'
import { CategoryName } from '../contacts/parts.tsx'
import { CategoryDrawer, type CategoryDraft } from './category-drawer.tsx'
import { MoveMembers } from './move-members.tsx'
import { words } from './words.ts'
import './categories.css'

type Asked = { readonly kind: 'delete' | 'move'; readonly category: Category }

/** Every change of categories, with what is said about its end. */
function useCategoryActions(reopen: (draft: CategoryDraft) => void) {
  const t = useWords(words)
  const say = useProblem()
  const toast = useToast()
  const create = useCreateCategory()
  const update = useUpdateCategory()
  const remove = useDeleteCategory()
  const failed = (name: string, error: unknown, run: (fields: Readonly<Record<string, string>>) => void): void => {
    const { text, fields } = say(error)
    const detail = fields['name'] === undefined ? text : t('taken')
    const action = { label: t('tryAgain'), run: () => run(fields) }
    toast({ text: t('failed', { name, detail }), failed: true, action })
  }
  return {
    async save(form: CategoryForm, seen: Category | undefined): Promise<void> {
      const name = form.name.trim()
      try {
        await (seen === undefined ? create(form) : update(seen, categoryChange(seen, form)))
        toast({ text: t(seen === undefined ? 'made' : 'saved', { name }) })
      } catch (error) {
        failed(name, error, problems => reopen({ form, problems, ...(seen !== undefined && { seen }) }))
      }
    },
    async remove(category: Category): Promise<void> {
      const { name } = category
      try {
        await remove(category)
        toast({ text: t('gone', { name }) })
      } catch (error) {
        failed(name, error, () => void this.remove(category))
      }
    },
  }
}

export function Categories(): ReactNode {
  const t = useWords(words)
  const say = useProblem()
  const may = useMay()
  const { categories, data, error, isFetching, refetch } = useCategories()
  const [draft, setDraft] = useState<CategoryDraft | undefined>(undefined)
  const [asked, setAsked] = useState<Asked | undefined>(undefined)
  const actions = useCategoryActions(setDraft)
  const again = (): void => void refetch()
  const mayWrite = may('categories:write')
  const isOld = error !== null || data?.offline === true
  return (
    <>
      <PageHead title={t('title')} lead={categories === undefined ? '\u00a0' : t('lead', { count: categories.length })}>
        {data !== undefined && <FreshnessNote answer={data} busy={isFetching} onRefresh={again} />}
        <Button
          kind="primary"
          icon="plus"
          unavailable={!mayWrite && t('noRight')}
          onClick={() => setDraft({ form: EMPTY_CATEGORY })}
        >
          {t('newCategory')}
        </Button>
      </PageHead>
      {categories === undefined && error !== null && <Failure {...say(error)} onRetry={again} />}
      {categories === undefined && error === null && (
        <Card>
          <Loading lines={6} height="2rem" onRetry={again} />
        </Card>
      )}
      {categories !== undefined && error !== null && (
        <Banner
          tone="degraded"
          title={t('old')}
          actions={
            <Button size="small" icon="refresh" onClick={again}>
              {t('readAgain')}
            </Button>
          }
        >
          {say(error).text}
        </Banner>
      )}
      {categories?.length === 0 && (
        <Card>
          <Empty icon="tag" title={t('empty')}>
            {t('emptyText')}
          </Empty>
        </Card>
      )}
      {categories !== undefined && categories.length > 0 && (
        <div className={isOld ? 'stale' : undefined}>
          <Card flush>
            <CategoryTable
              categories={categories}
              mayWrite={mayWrite}
              onEdit={seen =>
                setDraft({ seen, form: { name: seen.name, color: seen.color, description: seen.description } })
              }
              onAsk={setAsked}
            />
          </Card>
        </div>
      )}
      {draft !== undefined && (
        <CategoryDrawer
          draft={draft}
          others={(categories ?? []).filter(one => one.id !== draft.seen?.id)}
          onClose={() => setDraft(undefined)}
          onSave={(form, seen) => {
            setDraft(undefined)
            void actions.save(form, seen)
          }}
        />
      )}
      {asked?.kind === 'move' && (
        <MoveMembers
          category={asked.category}
          others={(categories ?? []).filter(one => one.id !== asked.category.id && !isNewCategory(one))}
          onClose={() => setAsked(undefined)}
        />
      )}
      {asked?.kind === 'delete' && (
        <Confirm
          title={t('deleteTitle', { name: asked.category.name })}
          action={t('delete')}
          onClose={() => setAsked(undefined)}
          onConfirm={() => {
            setAsked(undefined)
            void actions.remove(asked.category)
          }}
        >
          <p>
            {asked.category.contact_count === 0
              ? t('deleteEmpty')
              : t('deleteText', { count: asked.category.contact_count })}
          </p>
          <p>{t('deleteCampaigns')}</p>
        </Confirm>
      )}
    </>
  )
}

interface TableProps {
  readonly mayWrite: boolean
  readonly onEdit: (category: Category) => void
  readonly onAsk: (asked: Asked) => void
}

function CategoryTable({
  categories,
  ...actions
}: TableProps & { readonly categories: readonly Category[] }): ReactNode {
  const t = useWords(words)
  const total = useContactTotal()
  return (
    <table className="table category-table">
      <caption className="visually-hidden">{t('caption')}</caption>
      <thead>
        <tr>
          <th scope="col">{t('name')}</th>
          <th scope="col" className="about">
            {t('description')}
          </th>
          <th scope="col" className="members number">
            {t('contacts')}
          </th>
          <th scope="col" className="share">
            {t('share')}
          </th>
          <th scope="col" className="actions">
            <span className="visually-hidden">{t('actions')}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {categories.map(category => (
          <CategoryRow key={category.id} category={category} total={total} {...actions} />
        ))}
      </tbody>
    </table>
  )
}

function CategoryRow({
  category,
  total,
  mayWrite,
  onEdit,
  onAsk,
}: TableProps & { readonly category: Category; readonly total: number | undefined }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const may = useMay()
  const pending = usePending()
  const { id, name, color, description, contact_count: count } = category
  const isNew = isNewCategory(category)
  const isBusy = isSaving(pending, id)
  const share = total === undefined || total === 0 ? undefined : Math.min(1, count / total)
  const reason = mayWrite ? undefined : t('noRight')
  return (
    <tr aria-busy={isBusy || undefined}>
      <th scope="row">
        <CategoryName name={name} color={color} />
        {isBusy && (
          <span className="small muted saving">
            <span className="spinner" aria-hidden="true" />
            {t('saving')}
          </span>
        )}
      </th>
      <td className="about small">{description}</td>
      <td className="members number">
        {isNew ? (
          format.number(count)
        ) : (
          <Link to="/contacts" search={{ category: id }} aria-label={t('show', { count, name })}>
            {format.number(count)}
          </Link>
        )}
      </td>
      <td className="share">
        {share !== undefined && (
          <span className="share-line">
            <span className="bar" aria-hidden="true">
              <span style={{ width: `${share * 100}%` }} />
            </span>
            <span className="small muted">{format.percent(share, 1)}</span>
          </span>
        )}
      </td>
      <td className="actions">
        {!isNew && (
          <Menu label={t('actionsOf', { name })}>
            <button type="button" disabled={!mayWrite} title={reason} onClick={() => onEdit(category)}>
              <Icon name="edit" />
              {t('edit')}
            </button>
            <button
              type="button"
              disabled={!may('contacts:bulk') || count === 0}
              title={may('contacts:bulk') ? undefined : t('noRight')}
              onClick={() => onAsk({ kind: 'move', category })}
            >
              <Icon name="arrowRight" />
              {t('moveAll')}
            </button>
            <hr />
            <button
              type="button"
              className="danger"
              disabled={!mayWrite}
              title={reason}
              onClick={() => onAsk({ kind: 'delete', category })}
            >
              <Icon name="trash" />
              {t('delete')}
            </button>
          </Menu>
        )}
      </td>
    </tr>
  )
}
