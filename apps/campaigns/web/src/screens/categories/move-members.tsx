import { Button, Checkbox, Dialog, Progress, Select, useToast, useWords } from '@palier/design'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { MOST_BULK } from '../../data/contacts.ts'
import { type Category, type Contact, useClient } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { useBulkContacts } from '../../data/use-contacts.ts'
import { words } from './words.ts'

const PAGE = 200

/** Puts all contacts of a category into another one, in parts, with what is done so far in sight. */
export function MoveMembers({
  category,
  others,
  onClose,
}: {
  readonly category: Category
  readonly others: readonly Category[]
  readonly onClose: () => void
}): ReactNode {
  const t = useWords(words)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const bulk = useBulkContacts()
  const [targetId, setTargetId] = useState('')
  const [isKept, setIsKept] = useState(false)
  const [done, setDone] = useState<number | undefined>(undefined)
  const isStopped = useRef(false)
  useEffect(
    () => () => {
      isStopped.current = true
    },
    [],
  )
  const target = others.find(one => one.id === targetId)
  const { id, name, contact_count: count } = category

  /** Some members, from a cursor on: up to what one change may be about. */
  const readSome = async (cursor: string | undefined) => {
    const members: Contact[] = []
    let next = cursor
    do {
      const query = { category: id, limit: PAGE, ...(next !== undefined && { cursor: next }) }
      const { value } = await client.ask('GET /contacts', { query })
      members.push(...value.items)
      next = value.next_cursor ?? undefined
    } while (next !== undefined && members.length + PAGE <= MOST_BULK)
    return { members, next }
  }

  const move = async (into: Category): Promise<void> => {
    isStopped.current = false
    setDone(0)
    let moved = 0
    try {
      for (let cursor: string | undefined, isLast = false; !isLast && !isStopped.current; ) {
        const { members, next } = await readSome(cursor)
        if (members.length > 0) {
          await bulk(members, 'add_categories', [{ id: into.id, name: into.name }])
          if (!isKept) await bulk(members, 'remove_categories', [{ id, name }])
        }
        moved += members.length
        setDone(moved)
        cursor = next
        isLast = next === undefined
      }
      toast({ text: t('moved', { count: moved }) })
    } catch (error) {
      const detail = say(error).text
      toast({ text: t('moveStopped', { count: moved, detail }), failed: true })
    }
    onClose()
  }
  const stop = (): void => {
    isStopped.current = true
    if (done === undefined) onClose()
  }
  return (
    <Dialog title={t('moveTitle', { count, name })} onClose={stop}>
      {done === undefined ? (
        <>
          <Select
            label={t('target')}
            value={targetId}
            choices={[{ value: '', label: t('choose') }, ...others.map(one => ({ value: one.id, label: one.name }))]}
            onChange={event => setTargetId(event.currentTarget.value)}
          />
          <Checkbox
            label={t('keep', { name })}
            checked={isKept}
            onChange={event => setIsKept(event.currentTarget.checked)}
          />
        </>
      ) : (
        <Progress label={t('moving')} done={done} total={count} text={t('movedSome', { done, count })} />
      )}
      <footer>
        <Button onClick={stop}>{t(done === undefined ? 'cancel' : 'stop')}</Button>
        {done === undefined && (
          <Button
            kind="primary"
            unavailable={target === undefined && t('needsTarget')}
            onClick={() => target !== undefined && void move(target)}
          >
            {t(isKept ? 'copy' : 'move')}
          </Button>
        )}
      </footer>
    </Dialog>
  )
}
