import { defineWords, Icon, useWords } from '@palier/design'
import type { ReactNode } from 'react'
import { piecesOf, type TemplateParts } from './template.ts'

const words = defineWords(
  {
    image: 'Picture',
    video: 'Video',
    document: 'Document',
    empty: 'Nothing written yet',
  },
  {
    image: 'Image',
    video: 'Vidéo',
    document: 'Document',
    empty: 'Rien d’écrit pour l’instant',
  },
)

function Text({ text }: { readonly text: string }): ReactNode {
  return piecesOf(text).map(({ text: piece, isOpen }, i) => (isOpen ? <mark key={i}>{piece}</mark> : piece))
}

const MEDIA = ['image', 'video', 'document'] as const

/** One message as it stands in a chat; `isTheirs`: what the contact says. */
export function Bubble({
  parts,
  isTheirs = false,
}: {
  readonly parts: TemplateParts
  readonly isTheirs?: boolean
}): ReactNode {
  const t = useWords(words)
  const { header, media, body, footer, buttons } = parts
  const known = MEDIA.find(one => one === media)
  const isEmpty = body === '' && header === undefined && known === undefined
  return (
    <div className={isTheirs ? 'bubble theirs' : 'bubble'}>
      {known !== undefined && (
        <div className="bubble-media">
          <Icon name={known === 'document' ? 'file' : 'image'} />
          {t(known)}
        </div>
      )}
      {header !== undefined && (
        <p className="bubble-header">
          <Text text={header} />
        </p>
      )}
      {isEmpty ? (
        <p className="muted">{t('empty')}</p>
      ) : (
        <p className="bubble-body">
          <Text text={body} />
        </p>
      )}
      {footer !== undefined && <p className="bubble-footer">{footer}</p>}
      {buttons.length > 0 && (
        <ul className="bubble-buttons">
          {buttons.map(({ text, isReply }, i) => (
            <li key={`${i} ${text}`}>
              <Icon name={isReply ? 'undo' : 'external'} />
              {text}
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}
