import { useFormat, useWords } from '@palier/design'
import { useCallback, useRef, useState } from 'react'
import { ApiError } from '../../data/client.ts'
import { useClient, useRefresh } from '../../data/context.tsx'
import { ACCEPTED_TYPES, MOST_BYTES, uploadPicture } from '../../data/media.ts'
import { useProblem } from '../../data/problems.ts'
import { mediaWords } from './words.ts'

export interface Upload {
  readonly id: number
  readonly name: string
  readonly state: 'waiting' | 'sending' | 'done' | 'failed'
  /** Why it failed. */
  readonly problem?: string
}

/** Sends files one after the other, so that a slow line is not shared; what cannot be a picture is not sent. */
export function useUploads(): {
  readonly uploads: readonly Upload[]
  readonly add: (files: readonly File[]) => void
  readonly clear: () => void
} {
  const t = useWords(mediaWords)
  const format = useFormat()
  const say = useProblem()
  const client = useClient()
  const refresh = useRefresh()
  const [uploads, setUploads] = useState<readonly Upload[]>([])
  const last = useRef(0)
  const queue = useRef(Promise.resolve())
  const become = useCallback((id: number, change: Partial<Upload>): void => {
    setUploads(now => now.map(one => (one.id === id ? { ...one, ...change } : one)))
  }, [])

  const problemOf = (file: File): string | undefined => {
    if (!ACCEPTED_TYPES.includes(file.type)) return t('notPicture')
    return file.size > MOST_BYTES ? t('tooLarge', { size: format.bytes(MOST_BYTES) }) : undefined
  }
  const send = async (id: number, file: File): Promise<void> => {
    become(id, { state: 'sending' })
    try {
      await uploadPicture(client, file, '')
      become(id, { state: 'done' })
      void refresh('media')
    } catch (error) {
      const isRefused = error instanceof ApiError && [400, 415, 422].includes(error.status)
      become(id, { state: 'failed', problem: isRefused ? t('refused') : say(error).text })
    }
  }
  const add = (files: readonly File[]): void => {
    const added = files.map((file): Upload & { readonly file: File } => {
      const problem = problemOf(file)
      const upload = { id: ++last.current, name: file.name, file }
      return problem === undefined ? { ...upload, state: 'waiting' } : { ...upload, state: 'failed', problem }
    })
    setUploads(now => [...now, ...added.map(({ file: _, ...upload }) => upload)])
    for (const { id, file, state } of added) {
      if (state === 'waiting') queue.current = queue.current.then(() => send(id, file))
    }
  }
  return {
    uploads,
    add,
    clear: () => setUploads(now => now.filter(one => one.state === 'waiting' || one.state === 'sending')),
  }
}
