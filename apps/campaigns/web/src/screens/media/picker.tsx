import { Dialog, Empty, Failure, Loading, LoadMore, useFormat, useWords } from '@palier/design'
import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useClient } from '../../data/context.tsx'
import { MOST_BYTES, type Picture, picturesQuery } from '../../data/media.ts'
import { useProblem } from '../../data/problems.ts'
import { useMay } from '../../session/session.ts'
import { PictureView } from './picture-view.tsx'
import { UploadButton, UploadList } from './upload.tsx'
import { useUploads } from './use-uploads.ts'
import { mediaWords } from './words.ts'
import './media.css'

/** Chooses one of the pictures; a new one can be uploaded at once. */
export function PicturePicker({
  onChoose,
  onClose,
}: {
  readonly onChoose: (picture: Picture) => void
  readonly onClose: () => void
}): ReactNode {
  const t = useWords(mediaWords)
  const say = useProblem()
  const may = useMay()
  const format = useFormat()
  const { uploads, add, clear } = useUploads()
  const query = useInfiniteQuery(picturesQuery(useClient()))
  const { data, error } = query
  const pictures = data?.pages.flatMap(part => part.value.items) ?? []
  return (
    <Dialog title={t('chooseTitle')} shape="wide" onClose={onClose}>
      <div>
        <UploadButton unavailable={!may('media:write') && t('mayNot')} onFiles={add} />
      </div>
      <UploadList uploads={uploads} onClear={clear} />
      {data === undefined && error === null && <Loading lines={4} />}
      {data === undefined && error !== null && <Failure text={say(error).text} onRetry={() => void query.refetch()} />}
      {data !== undefined && pictures.length === 0 && (
        <Empty icon="image" title={t('empty')}>
          {t('dropHint', { size: format.bytes(MOST_BYTES) })}
        </Empty>
      )}
      {pictures.length > 0 && (
        <>
          <ul className="pictures small-pictures">
            {pictures.map(picture => (
              <li key={picture.id}>
                <button type="button" className="picture" onClick={() => onChoose(picture)}>
                  <PictureView picture={picture} sizes="10rem" className="picture-image" />
                  <span className="picture-name small truncate">
                    <span className="visually-hidden">{t('choose')} </span>
                    {picture.name}
                  </span>
                </button>
              </li>
            ))}
          </ul>
          <LoadMore
            count={pictures.length}
            hasMore={query.hasNextPage}
            busy={query.isFetchingNextPage}
            onMore={() => void query.fetchNextPage()}
          />
        </>
      )}
    </Dialog>
  )
}
