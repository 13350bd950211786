import { Empty, Failure, Loading, LoadMore, useFormat, useWords } from '@palier/design'
import { useInfiniteQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { useClient } from '../../data/context.tsx'
import { MOST_BYTES, type Picture, picturesQuery } from '../../data/media.ts'
import { useProblem } from '../../data/problems.ts'
import { useMay } from '../../session/session.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { EditPicture } from './edit-picture.tsx'
import { PictureView } from './picture-view.tsx'
import { UploadButton, UploadList, useDrop } from './upload.tsx'
import { useUploads } from './use-uploads.ts'
import { mediaWords } from './words.ts'
import './media.css'

const SIZES = '(min-width: 64rem) 16rem, (min-width: 40rem) 30vw, 45vw'

function Tile({ picture, onOpen }: { readonly picture: Picture; readonly onOpen: () => void }): ReactNode {
  const t = useWords(mediaWords)
  const format = useFormat()
  const { name, alt, width, height, size } = picture
  const bytes = format.bytes(size)
  return (
    <button type="button" className="picture" onClick={onOpen}>
      {/* What it shows stands below it. */}
      <PictureView picture={{ ...picture, alt: '' }} sizes={SIZES} className="picture-image" />
      <span className="picture-name truncate">
        <span className="visually-hidden">{t('edit')} </span>
        {name}
      </span>
      <span className="small muted truncate">{alt === '' ? t('noAlt') : alt}</span>
      <span className="small muted">
        {width === null || height === null ? t('whole', { bytes }) : t('size', { width, height, bytes })}
      </span>
    </button>
  )
}

function Grid({ upload }: { readonly upload: ReactNode }): ReactNode {
  const t = useWords(mediaWords)
  const say = useProblem()
  const [opened, setOpened] = useState<string | undefined>(undefined)
  const query = useInfiniteQuery(picturesQuery(useClient()))
  const { data, error } = query
  if (data === undefined) {
    if (error === null) return <Loading lines={3} height="9rem" />
    const { text, reference } = say(error)
    return <Failure text={text} reference={reference} onRetry={() => void query.refetch()} />
  }
  const pictures = data.pages.flatMap(part => part.value.items)
  if (pictures.length === 0) {
    return (
      <Empty icon="image" title={t('empty')} action={upload}>
        {t('emptyText')}
      </Empty>
    )
  }
  const open = pictures.find(picture => picture.id === opened)
  return (
    <>
      <ul className="pictures" aria-label={t('grid')}>
        {pictures.map(picture => (
          <li key={picture.id}>
            <Tile picture={picture} onOpen={() => setOpened(picture.id)} />
          </li>
        ))}
      </ul>
      <LoadMore
        count={pictures.length}
        hasMore={query.hasNextPage}
        busy={query.isFetchingNextPage}
        onMore={() => void query.fetchNextPage()}
      />
      {open !== undefined && <EditPicture key={open.id} picture={open} onClose={() => setOpened(undefined)} />}
    </>
  )
}

export function Media(): ReactNode {
  const t = useWords(mediaWords)
  const format = useFormat()
  const may = useMay()
  const { uploads, add, clear } = useUploads()
  const mayUpload = may('media:write')
  const isOver = useDrop(mayUpload, add)
  const upload = <UploadButton unavailable={!mayUpload && t('mayNot')} onFiles={add} />
  return (
    <>
      <PageHead title={t('title')} lead={t('lead')}>
        {upload}
      </PageHead>
      <UploadList uploads={uploads} onClear={clear} />
      <Grid upload={upload} />
      {isOver && (
        <div className="drop-here" aria-hidden="true">
          <strong>{t('drop')}</strong>
          <span>{t('dropHint', { size: format.bytes(MOST_BYTES) })}</span>
        </div>
      )}
    </>
  )
}
