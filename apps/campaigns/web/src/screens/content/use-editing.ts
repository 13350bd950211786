import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import type { Answer } from '../../data/client.ts'
import { ApiError } from '../../data/client.ts'
import { type Page, pageQuery } from '../../data/content.ts'
import { useClient, useRefresh } from '../../data/context.tsx'
import { changesOf, type Draft, draftOf, follow, isChanged, isInConflict } from './draft.ts'

/** A page that is being written: the draft, what saves it, and whether somebody else saved meanwhile. */
export function useEditing(newest: Page | undefined) {
  const client = useClient()
  const queries = useQueryClient()
  const refresh = useRefresh()
  const [editing, setEditing] = useState({ base: newest, draft: draftOf(newest) })
  const followed = follow(editing, newest)
  if (followed.base !== editing.base) setEditing(followed)
  const { base, draft } = followed

  const keep = (answer: Answer<Page>): void => {
    queries.setQueryData(pageQuery(client, answer.value.id).queryKey, answer)
    void refresh('content', `content:${answer.value.id}`)
  }
  const send = async (onto: Page | undefined): Promise<Page> => {
    const sent = draft
    const changes = changesOf(draftOf(onto), sent)
    const answer =
      onto === undefined
        ? await client.ask('POST /content', { body: { ...changes, title: sent.title } })
        : await client.ask('PATCH /content/{id}', {
            path: { id: onto.id },
            body: { ...changes, version: onto.version },
          })
    keep(answer)
    // What was typed since stays.
    setEditing(now => ({ base: answer.value, draft: now.draft === sent ? draftOf(answer.value) : now.draft }))
    return answer.value
  }
  const save = useMutation({
    mutationFn: send,
    onError(error) {
      // The newer version is read, and the conflict shown by what it says.
      const isOld = error instanceof ApiError && error.status === 409 && error.fields['version'] !== undefined
      if (isOld && base !== undefined) void queries.invalidateQueries({ queryKey: pageQuery(client, base.id).queryKey })
    },
  })
  return {
    base,
    draft,
    save,
    isDirty: isChanged(draftOf(base), draft),
    isInConflict: isInConflict(followed, newest),
    change: (part: Partial<Draft>): void => setEditing(now => ({ ...now, draft: { ...now.draft, ...part } })),
    /** Drops what is written, for the version that is given. */
    take(page: Page): void {
      save.reset()
      setEditing({ base: page, draft: draftOf(page) })
    },
    /** Shows an answer of the server that changed no text of the person's. */
    keep(answer: Answer<Page>): void {
      keep(answer)
      setEditing(now =>
        isChanged(draftOf(now.base), now.draft) ? now : { base: answer.value, draft: draftOf(answer.value) },
      )
    },
  }
}

export type EditingState = ReturnType<typeof useEditing>
