import { useCallback, useEffect, useRef, useState } from 'react'
import type { KeysAnswer, PreviewAnswer } from '../../../../src/api.ts'
import { useClient } from '../../data/context.ts'
import type { Listed } from './tree.ts'

/** Which keys are asked for; the empty text is no condition. */
export interface Asked {
  readonly type: string
  readonly pattern: string
}

export interface Scan {
  readonly keys: readonly Listed[]
  /** `paused`: many were read, and more wait to be asked for. `stopped`: by somebody. */
  readonly phase: 'reading' | 'paused' | 'stopped' | 'done' | 'failed'
  readonly error: unknown
  /** False: the backend's walk ended at its time limit, so that some may be missing. */
  readonly isWhole: boolean
  /** How many there are, as far as it is known. */
  readonly total: number | undefined
  readonly isTotalExact: boolean
  stop(): void
  goOn(): void
  again(): void
}

const PAGE = 1000
/** After so many it waits, so that nobody's browser is filled by chance; then after twice as many. */
const FIRST_PAUSE = 10_000

type State = Pick<Scan, 'keys' | 'phase' | 'error' | 'isWhole' | 'total' | 'isTotalExact'> & {
  readonly after: string | undefined
  readonly pauseAt: number
}

const BEGIN: State = {
  keys: [],
  phase: 'reading',
  error: undefined,
  isWhole: true,
  total: undefined,
  isTotalExact: true,
  after: undefined,
  pauseAt: FIRST_PAUSE,
}

/**
 * Reads keys page by page, one page at a time, until all are there, it is stopped, or many are read. `mayCount`: how many
 * there are is asked once beside it.
 */
export function useScan({ type, pattern }: Asked, mayCount: boolean): Scan {
  const client = useClient()
  const [state, setState] = useState<State>(BEGIN)
  const running = useRef<AbortController | undefined>(undefined)

  const run = useCallback(
    (from: State) => {
      running.current?.abort()
      const { signal } = (running.current = new AbortController())
      const put = (change: (before: State) => Partial<State>): void => {
        if (!signal.aborted) setState(before => ({ ...before, ...change(before) }))
      }
      const query = { type: type || undefined, pattern: pattern || undefined, limit: PAGE }
      const read = async (): Promise<void> => {
        let { after } = from
        for (let count = from.keys.length; ; ) {
          const page = await client.get<KeysAnswer>('cache/keys', { query: { ...query, after }, signal })
          after = page.after
          count += page.keys.length
          const phase = after === undefined ? 'done' : count >= from.pauseAt ? 'paused' : 'reading'
          put(before => ({
            keys: [...before.keys, ...page.keys],
            after: page.after,
            isWhole: before.isWhole && page.complete,
            phase,
          }))
          if (phase !== 'reading') return
        }
      }
      read().catch((error: unknown) => put(() => ({ phase: 'failed', error })))
      return { put, signal }
    },
    [client, type, pattern],
  )

  const begin = useCallback(() => {
    const { put } = run(BEGIN)
    if (!mayCount) return
    const whole = type === '' ? { kind: 'all' } : { kind: 'type', type }
    const target = pattern === '' ? whole : { kind: 'pattern', pattern, ...(type !== '' && { type }) }
    client.change<PreviewAnswer>('POST', 'cache/preview', { target }).then(
      ({ entries, exact }) => put(() => ({ total: entries, isTotalExact: exact })),
      // The list is worth as much without its sum.
      () => undefined,
    )
  }, [run, client, type, pattern, mayCount])

  // A question is asked once, by whoever is mounted for it: what is known begins empty.
  useEffect(() => {
    begin()
    return () => running.current?.abort()
  }, [begin])

  return {
    ...state,
    stop() {
      running.current?.abort()
      setState(before => ({ ...before, phase: 'stopped' }))
    },
    goOn() {
      const from = { ...state, pauseAt: state.phase === 'paused' ? state.keys.length * 2 : state.pauseAt }
      setState({ ...from, phase: 'reading', error: undefined })
      run(from)
    },
    again() {
      setState(BEGIN)
      begin()
    },
  }
}
