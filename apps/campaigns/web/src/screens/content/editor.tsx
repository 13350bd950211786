import { Button, Card, Confirm, Failure, Icon, Loading, Menu, TextField, useToast, useWords } from '@palier/design'
import { useMutation, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { type ReactNode, useEffect, useState } from 'react'
import { type Page, pageQuery, publicAddress } from '../../data/content.ts'
import { useClient, useRefresh } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { useMay, useMe } from '../../session/session.ts'
import { LeaveGuard } from '../../shell/leave-guard.tsx'
import { PageHead } from '../../shell/page-head.tsx'
import { BodyField } from './body-field.tsx'
import { Conflict } from './conflict.tsx'
import { Publication } from './publication.tsx'
import { Revisions } from './revisions.tsx'
import { CoverCard, SearchCard } from './side.tsx'
import { type EditingState, useEditing } from './use-editing.ts'
import { editorWords, revisionWords } from './words.ts'
import './content.css'

const route = getRouteApi('/shell/content/$id')

/** Why the person may not change the page; false when they may. */
function useRefusal(page: Page | undefined): string | false {
  const t = useWords(editorWords)
  const may = useMay()
  const { data } = useMe()
  if (!may('content:write')) return t('mayNotOthers')
  if (page === undefined || may('content:publish')) return false
  if (page.author_id !== data?.value.user.id) return t('mayNotOthers')
  return page.status === 'published' && t('mayNotPublished')
}

function Fields({ editing }: { readonly editing: EditingState }): ReactNode {
  const t = useWords(editorWords)
  const say = useProblem()
  const { draft, base, change, save } = editing
  const problems = save.error === null ? {} : say(save.error).fields
  const isTaken = save.error !== null && 'status' in save.error && save.error.status === 409
  const slugProblem = problems['slug'] === undefined ? undefined : t(isTaken ? 'slugTaken' : 'slugBad')
  return (
    <Card>
      <div className="stack">
        <TextField
          label={t('name')}
          value={draft.title}
          maxLength={200}
          required
          autoFocus={base === undefined}
          problem={problems['title']}
          onChange={event => change({ title: event.currentTarget.value })}
        />
        <TextField
          label={t('slug')}
          value={draft.slug}
          maxLength={200}
          autoCapitalize="none"
          spellCheck={false}
          problem={slugProblem}
          hint={draft.slug === '' ? t('slugNew') : t('slugHint', { address: publicAddress(draft.slug) })}
          onChange={event => change({ slug: event.currentTarget.value })}
        />
        <BodyField value={draft.body} problem={problems['body']} onChange={body => change({ body })} />
      </div>
    </Card>
  )
}

function DeletePage({ page, onClose }: { readonly page: Page; readonly onClose: () => void }): ReactNode {
  const t = useWords(editorWords)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const refresh = useRefresh()
  const navigate = useNavigate()
  const remove = useMutation({
    mutationFn: () => client.ask('DELETE /content/{id}', { path: { id: page.id } }),
    async onSuccess() {
      toast({ text: t('deleted', { title: page.title }) })
      await navigate({ to: '/content', ignoreBlocker: true })
      void refresh('content')
    },
    onError(error) {
      toast({ text: say(error).text, failed: true })
      onClose()
    },
  })
  return (
    <Confirm
      title={t('deleteTitle', { title: page.title })}
      action={t('delete')}
      busy={remove.isPending}
      onConfirm={() => remove.mutate()}
      onClose={onClose}
    >
      <p>{t('deleteText')}</p>
      {page.status === 'published' && <p>{t('deletePublished', { address: publicAddress(page.slug) })}</p>}
    </Confirm>
  )
}

/** Saves with the button or Ctrl S, and says what became of it. */
function useSaving(editing: EditingState): (onto?: Page) => Promise<Page | undefined> {
  const t = useWords(editorWords)
  const say = useProblem()
  const toast = useToast()
  const navigate = useNavigate()
  return async (onto = editing.base) => {
    try {
      const saved = await editing.save.mutateAsync(onto)
      toast({ text: onto === undefined ? t('created') : t('saved', { version: saved.version }) })
      if (onto === undefined) {
        await navigate({ to: '/content/$id', params: { id: saved.id }, replace: true, ignoreBlocker: true })
      }
      return saved
    } catch (error) {
      const { text, fields } = say(error)
      // At its field, or as a conflict, it is said already.
      if (Object.keys(fields).length === 0) toast({ text, failed: true })
      return undefined
    }
  }
}

function SaveButton({
  editing,
  refusal,
  onSave,
}: {
  readonly editing: EditingState
  readonly refusal: string | false
  readonly onSave: () => void
}): ReactNode {
  const t = useWords(editorWords)
  const { draft, isDirty, save } = editing
  const unavailable = refusal || (!isDirty && t('nothing')) || (draft.title.trim() === '' && t('noTitle'))
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (event.key !== 's' || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return
      event.preventDefault()
      if (unavailable === false && !save.isPending) onSave()
    }
    addEventListener('keydown', pressed)
    return () => removeEventListener('keydown', pressed)
  }, [unavailable, save.isPending, onSave])
  return (
    <Button
      kind="primary"
      icon="save"
      busy={save.isPending}
      unavailable={unavailable}
      title="Ctrl S"
      aria-keyshortcuts="Control+S Meta+S"
      onClick={onSave}
    >
      {t('save')}
    </Button>
  )
}

function Editor({ newest }: { readonly newest: Page | undefined }): ReactNode {
  const t = useWords(editorWords)
  const of = useWords(revisionWords)
  const editing = useEditing(newest)
  const mayNot = useRefusal(newest)
  const refusal = mayNot || (editing.isInConflict && t('decide'))
  const save = useSaving(editing)
  const [open, setOpen] = useState<'versions' | 'delete' | undefined>(undefined)
  const { draft, isDirty, change } = editing
  const title = draft.title.trim() === '' ? t(newest === undefined ? 'newTitle' : 'untitled') : draft.title
  return (
    <>
      <PageHead title={title} lead={<Link to="/content">{t('back')}</Link>}>
        {isDirty && <span className="small muted">{t('unsaved')}</span>}
        <SaveButton editing={editing} refusal={refusal} onSave={() => void save()} />
        {newest !== undefined && (
          <Menu label={t('more')}>
            <button type="button" onClick={() => setOpen('versions')}>
              <Icon name="history" />
              {t('versions')}
            </button>
            <button
              type="button"
              className="danger"
              disabled={mayNot !== false}
              title={mayNot || undefined}
              onClick={() => setOpen('delete')}
            >
              <Icon name="trash" />
              {t('delete')}
            </button>
          </Menu>
        )}
      </PageHead>
      {newest !== undefined && editing.isInConflict && (
        <Conflict newest={newest} editing={editing} onKeepMine={() => void save(newest)} />
      )}
      <div className="editor">
        <Fields editing={editing} />
        <div className="stack editor-side">
          {newest !== undefined && (
            <Publication
              page={newest}
              isChanged={isDirty}
              refusal={editing.isInConflict && t('decide')}
              onSave={save}
              onAnswer={editing.keep}
              onVersions={() => setOpen('versions')}
            />
          )}
          <CoverCard cover={draft.cover} onChange={cover => change({ cover })} />
          <SearchCard title={draft.title} slug={draft.slug} body={draft.body} />
        </div>
      </div>
      {newest !== undefined && open === 'versions' && (
        <Revisions
          page={newest}
          unavailable={refusal || (isDirty && of('unsaved'))}
          onRestored={editing.keep}
          onClose={() => setOpen(undefined)}
        />
      )}
      {newest !== undefined && open === 'delete' && <DeletePage page={newest} onClose={() => setOpen(undefined)} />}
      <LeaveGuard isDirty={() => isDirty} />
    </>
  )
}

function Existing({ id }: { readonly id: string }): ReactNode {
  const say = useProblem()
  const { data, error, refetch } = useQuery(pageQuery(useClient(), id))
  if (data !== undefined) return <Editor newest={data.value} />
  if (error === null) return <Loading lines={12} />
  const { text, reference } = say(error)
  return <Failure text={text} reference={reference} onRetry={() => void refetch()} />
}

/** Writes a page: `new`, or the one with the id of the address. */
export function PageEditor(): ReactNode {
  const { id } = route.useParams()
  return id === 'new' ? <Editor key="new" newest={undefined} /> : <Existing key={id} id={id} />
}
