import type { QueryClient } from '@tanstack/react-query'
import { isConcerned } from './tags.ts'

export type LiveState = 'live' | 'waiting'

export interface Live {
  readonly state: LiveState
  /** Returns what ends it. */
  listen(listener: () => void): () => void
  close(): void
}

/** Deletions of a burst are answered by one round of questions. */
const GATHER_MS = 120

/**
 * Listens to what the server deletes, here or in any other process, and asks again for what this browser shows of it:
 * a copy in the browser is never older than what the server knows, for longer than a moment.
 */
export function followChanges(queries: QueryClient, url = '/events'): Live {
  const listeners = new Set<() => void>()
  let state: LiveState = 'waiting'
  let gathered: { at: number; readonly tags: Set<string> } | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  const become = (next: LiveState): void => {
    if (next === state) return
    state = next
    for (const listener of listeners) listener()
  }
  const flush = (): void => {
    timer = undefined
    if (gathered === undefined) return
    const { at, tags } = gathered
    gathered = undefined
    const names = [...tags]
    void queries.invalidateQueries({ predicate: query => isConcerned(query, names, at) })
  }
  const gather = (at: number, tags: readonly string[]): void => {
    gathered ??= { at, tags: new Set() }
    gathered.at = Math.max(gathered.at, at)
    for (const tag of tags) gathered.tags.add(tag)
    timer ??= setTimeout(flush, GATHER_MS)
  }
  const source = new EventSource(url)
  let wasOpen = false
  source.addEventListener('open', () => {
    become('live')
    // What was deleted while nobody listened is told by the server, or it says `reset`; a first connection missed nothing
    // but what came between the first answers and now.
    if (!wasOpen) gather(Date.now(), [])
    wasOpen = true
  })
  source.addEventListener('error', () => become('waiting'))
  source.addEventListener('stamps', event => {
    const { at, tags } = JSON.parse(event.data as string) as { at: number; tags: string[] }
    gather(at, tags)
  })
  source.addEventListener('reset', () => gather(Number.MAX_SAFE_INTEGER, ['*']))
  return {
    get state() {
      return state
    },
    listen(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close() {
      clearTimeout(timer)
      source.close()
      listeners.clear()
    },
  }
}
