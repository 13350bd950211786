import { useToast } from '@palier/design'
import { useRef, useState } from 'react'
import type { Client } from './client.ts'
import { useClient, useRefresh } from './context.ts'
import { useProblem } from './problem.ts'

export interface Act<I, O> {
  readonly busy: boolean
  /** Resolves with undefined when it failed, which was said by then, or when it is still under way. Never rejects. */
  run(input: I): Promise<O | undefined>
}

/**
 * Something that is done, not read: it cannot be started twice, says so when it fails, and reads again what the page shows
 * when it is done. `quiet`: nothing on the page is different after it, as after a preview.
 */
export function useAct<I, O>(
  perform: (client: Client, input: I) => Promise<O>,
  { quiet = false }: { readonly quiet?: boolean } = {},
): Act<I, O> {
  const client = useClient()
  const toast = useToast()
  const say = useProblem()
  const refresh = useRefresh()
  const [busy, setBusy] = useState(false)
  // Two clicks may come before the page is drawn again.
  const isUnderWay = useRef(false)
  return {
    busy,
    async run(input) {
      if (isUnderWay.current) return undefined
      isUnderWay.current = true
      setBusy(true)
      try {
        const output = await perform(client, input)
        if (!quiet) refresh()
        return output
      } catch (error) {
        const { text, reference } = say(error)
        toast({ text: reference === undefined ? text : `${text} (${reference})`, failed: true })
        return undefined
      } finally {
        isUnderWay.current = false
        setBusy(false)
      }
    },
  }
}
