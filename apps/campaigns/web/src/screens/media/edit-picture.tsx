import {
  Banner,
  Button,
  Confirm,
  CopyButton,
  Dialog,
  TextArea,
  TextField,
  useFormat,
  useToast,
  useWords,
} from '@palier/design'
import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type SyntheticEvent, type ReactNode, useState } from 'react'
import { ApiError } from '../../data/client.ts'
import { useClient, useRefresh } from '../../data/context.tsx'
import type { Picture } from '../../data/media.ts'
import { useProblem } from '../../data/problems.ts'
import { useMay } from '../../session/session.ts'
import { PictureView } from './picture-view.tsx'
import { mediaWords } from './words.ts'

/** The pages that show a picture, as the refusal of its deletion names them. */
function pagesOf(error: unknown): readonly string[] | undefined {
  if (!(error instanceof ApiError) || error.status !== 409) return undefined
  const { pages } = error.extra
  return Array.isArray(pages) ? pages.filter(page => typeof page === 'string') : undefined
}

function DeletePicture({
  picture,
  onClose,
  onDeleted,
}: {
  readonly picture: Picture
  readonly onClose: () => void
  readonly onDeleted: () => void
}): ReactNode {
  const t = useWords(mediaWords)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const refresh = useRefresh()
  const may = useMay()
  const { id, name } = picture
  const remove = useMutation({
    mutationFn: (force: boolean) =>
      client.ask('DELETE /media/{id}', { path: { id }, query: force ? { force: 'true' } : {} }),
    onSuccess() {
      toast({ text: t('deleted', { name }) })
      void refresh('media', 'content')
      onDeleted()
    },
  })
  const pages = pagesOf(remove.error)
  return (
    <Confirm
      title={t('deleteTitle', { name })}
      action={t(pages === undefined ? 'delete' : 'deleteAnyway')}
      busy={remove.isPending}
      unavailable={pages !== undefined && !may('content:publish') && t('notYours')}
      onConfirm={() => remove.mutate(pages !== undefined)}
      onClose={onClose}
    >
      {pages === undefined ? (
        <p>{t('deleteText')}</p>
      ) : (
        <Banner tone="degraded" title={t('used', { count: pages.length })}>
          <p>{t('usedText')}</p>
          <ul className="row used-pages">
            {pages.map((page, at) => (
              <li key={page}>
                <Link to="/content/$id" params={{ id: page }}>
                  {t('usedOpen', { number: at + 1 })}
                </Link>
              </li>
            ))}
          </ul>
        </Banner>
      )}
      {remove.error !== null && pages === undefined && <Banner tone="down" title={say(remove.error).text} />}
    </Confirm>
  )
}

function Facts({ picture }: { readonly picture: Picture }): ReactNode {
  const t = useWords(mediaWords)
  const format = useFormat()
  const { width, height, size, variants, url, created_at } = picture
  const bytes = format.bytes(size)
  return (
    <dl className="facts small">
      <dt>{t('widths')}</dt>
      <dd>
        {variants.length === 0 ? t('original') : variants.map(one => `${format.number(one.width)} px`).join(', ')}
        {' · '}
        {width === null || height === null ? bytes : t('size', { width, height, bytes })}
      </dd>
      <dt>{t('uploadedAt')}</dt>
      <dd>{format.dateTime(created_at)}</dd>
      <dt>{t('address')}</dt>
      <dd className="row">
        <code className="wrap-anywhere">{url}</code>
        <CopyButton text={url} />
      </dd>
    </dl>
  )
}

/** What a picture is called, what it shows, and its end. */
export function EditPicture({
  picture,
  onClose,
}: {
  readonly picture: Picture
  readonly onClose: () => void
}): ReactNode {
  const t = useWords(mediaWords)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const refresh = useRefresh()
  const may = useMay()
  const [alt, setAlt] = useState(picture.alt)
  const [name, setName] = useState(picture.name)
  const [deleting, setDeleting] = useState(false)
  const mayNot = !may('media:write') && t('mayNot')
  const save = useMutation({
    mutationFn: () => client.ask('PATCH /media/{id}', { path: { id: picture.id }, body: { alt, name } }),
    onSuccess() {
      toast({ text: t('saved') })
      void refresh('media', 'content')
      onClose()
    },
  })
  const said = save.error === null ? undefined : say(save.error)
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Dialog title={t('editTitle')} shape="wide" onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <div className="columns">
          <PictureView picture={picture} sizes="24rem" className="edited-picture" />
          <div className="stack">
            <TextArea
              label={t('alt')}
              hint={t('altHint')}
              value={alt}
              maxLength={300}
              rows={3}
              problem={said?.fields['alt']}
              onChange={event => setAlt(event.currentTarget.value)}
            />
            <TextField
              label={t('name')}
              value={name}
              maxLength={160}
              required
              problem={said?.fields['name']}
              onChange={event => setName(event.currentTarget.value)}
            />
          </div>
        </div>
        <Facts picture={picture} />
        {said !== undefined && Object.keys(said.fields).length === 0 && <Banner tone="down" title={said.text} />}
        <footer>
          <Button kind="quiet" icon="trash" unavailable={mayNot} className="first" onClick={() => setDeleting(true)}>
            {t('delete')}
          </Button>
          <Button kind="primary" type="submit" busy={save.isPending} unavailable={mayNot}>
            {t('save')}
          </Button>
        </footer>
      </form>
      {deleting && <DeletePicture picture={picture} onClose={() => setDeleting(false)} onDeleted={onClose} />}
    </Dialog>
  )
}
