import { Button, IconButton, Pill, Progress, type Tone, useWords } from '@palier/design'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { ACCEPTED_TYPES } from '../../data/media.ts'
import type { Upload } from './use-uploads.ts'
import { mediaWords } from './words.ts'

/** Asks for files; the input itself is hidden, and the button is what is pressed. */
export function UploadButton({
  unavailable,
  onFiles,
}: {
  readonly unavailable: string | false
  readonly onFiles: (files: readonly File[]) => void
}): ReactNode {
  const t = useWords(mediaWords)
  const input = useRef<HTMLInputElement>(null)
  return (
    <>
      <input
        ref={input}
        type="file"
        accept={ACCEPTED_TYPES.join(',')}
        multiple
        hidden
        aria-label={t('upload')}
        onChange={event => {
          onFiles([...(event.currentTarget.files ?? [])])
          // The same file can be chosen again.
          event.currentTarget.value = ''
        }}
      />
      <Button kind="primary" icon="upload" unavailable={unavailable} onClick={() => input.current?.click()}>
        {t('upload')}
      </Button>
    </>
  )
}

const TONES: Readonly<Record<Upload['state'], Tone>> = {
  waiting: 'quiet',
  sending: 'warming',
  done: 'healthy',
  failed: 'down',
}

/** What is being uploaded, file by file. */
export function UploadList({
  uploads,
  onClear,
}: {
  readonly uploads: readonly Upload[]
  readonly onClear: () => void
}): ReactNode {
  const t = useWords(mediaWords)
  if (uploads.length === 0) return null
  const isOver = (one: Upload): boolean => one.state === 'done' || one.state === 'failed'
  const done = uploads.filter(isOver).length
  const total = uploads.length
  return (
    <section className="card stack tight uploads" aria-label={t('uploads')}>
      <div className="row between">
        <strong role="status">{done === total ? t('uploads') : t('uploading', { count: total - done })}</strong>
        {done > 0 && <IconButton label={t('hide')} icon="close" size="small" onClick={onClear} />}
      </div>
      <Progress label={t('uploads')} done={done} total={total} text={t('progress', { done, total })} />
      <ul className="upload-list">
        {uploads.map(({ id, name, state, problem }) => (
          <li key={id}>
            <span className="truncate">{name}</span>
            <Pill tone={TONES[state]}>{t(state)}</Pill>
            {problem !== undefined && (
              <span className="small upload-problem" role="alert">
                {problem}
              </span>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') === true

/** The whole page takes what is dropped on it, and shows so while something is held over it. */
export function useDrop(isEnabled: boolean, onFiles: (files: readonly File[]) => void): boolean {
  const [isOver, setIsOver] = useState(false)
  const latest = useRef(onFiles)
  useEffect(() => {
    latest.current = onFiles
  }, [onFiles])
  useEffect(() => {
    if (!isEnabled) return
    const over = (event: DragEvent): void => {
      if (!hasFiles(event)) return
      event.preventDefault()
      setIsOver(true)
    }
    const out = (event: DragEvent): void => {
      // Between two elements of the page there is a next one.
      if (event.relatedTarget === null) setIsOver(false)
    }
    const drop = (event: DragEvent): void => {
      if (!hasFiles(event)) return
      event.preventDefault()
      setIsOver(false)
      latest.current([...(event.dataTransfer?.files ?? [])])
    }
    addEventListener('dragover', over)
    addEventListener('dragleave', out)
    addEventListener('drop', drop)
    return () => {
      removeEventListener('dragover', over)
      removeEventListener('dragleave', out)
      removeEventListener('drop', drop)
    }
  }, [isEnabled])
  return isOver
}
