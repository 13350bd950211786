import { Button, Card, useWords } from '@palier/design'
import { type ReactNode, useDeferredValue, useState } from 'react'
import { type Cover, publicAddress } from '../../data/content.ts'
import type { Picture } from '../../data/media.ts'
import { PictureView } from '../media/picture-view.tsx'
import { PicturePicker } from '../media/picker.tsx'
import { describePage } from './markdown.ts'
import { editorWords } from './words.ts'

const coverOf = ({ id, alt, url, width, height, variants }: Picture): Cover => ({
  media_id: id,
  alt,
  url,
  width,
  height,
  variants,
})

export function CoverCard({
  cover,
  onChange,
}: {
  readonly cover: Cover | null
  readonly onChange: (cover: Cover | null) => void
}): ReactNode {
  const t = useWords(editorWords)
  const [picking, setPicking] = useState(false)
  return (
    <Card title={t('cover')}>
      <div className="stack">
        {cover === null ? (
          <p className="muted">{t('coverNone')}</p>
        ) : (
          <PictureView picture={cover} sizes="18rem" className="cover-picture" />
        )}
        <div className="row">
          <Button size="small" icon="image" onClick={() => setPicking(true)}>
            {t(cover === null ? 'coverChoose' : 'coverChange')}
          </Button>
          {cover !== null && (
            <Button size="small" kind="quiet" onClick={() => onChange(null)}>
              {t('coverRemove')}
            </Button>
          )}
        </div>
      </div>
      {picking && (
        <PicturePicker
          onClose={() => setPicking(false)}
          onChoose={picture => {
            setPicking(false)
            onChange(coverOf(picture))
          }}
        />
      )}
    </Card>
  )
}

/** How a search engine is likely to show the page. */
export function SearchCard({
  title,
  slug,
  body,
}: {
  readonly title: string
  readonly slug: string
  readonly body: string
}): ReactNode {
  const t = useWords(editorWords)
  const description = describePage(useDeferredValue(body))
  return (
    <Card title={t('search')}>
      <div className="stack tight">
        <div className="search-result wrap-anywhere">
          <span className="search-title">{title === '' ? t('untitled') : title}</span>
          {slug !== '' && <span className="small muted">{`${location.host}${publicAddress(slug)}`}</span>}
          <span className="small">{description === '' ? t('searchEmpty') : description}</span>
        </div>
        <p className="small muted">{t('searchHint')}</p>
      </div>
    </Card>
  )
}
