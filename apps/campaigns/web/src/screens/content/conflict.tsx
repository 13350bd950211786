import { Banner, Button, Dialog, useWords } from '@palier/design'
import { useInfiniteQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { type Page, revisionsQuery } from '../../data/content.ts'
import { useClient } from '../../data/context.tsx'
import { DiffView } from './diff-view.tsx'
import type { EditingState } from './use-editing.ts'
import { editorWords } from './words.ts'

/** Two people saved: says who, shows both texts, and lets the person decide. Nothing is decided for them. */
export function Conflict({
  newest,
  editing,
  onKeepMine,
}: {
  readonly newest: Page
  readonly editing: EditingState
  readonly onKeepMine: () => void
}): ReactNode {
  const t = useWords(editorWords)
  const [comparing, setComparing] = useState(false)
  const { data } = useInfiniteQuery(revisionsQuery(useClient(), newest.id))
  const revisions = data?.pages.flatMap(part => part.value.items) ?? []
  const name = revisions.find(one => one.version === newest.version)?.author_name ?? t('somebody')
  return (
    <Banner
      tone="degraded"
      title={t('conflict', { version: newest.version, name })}
      actions={
        <div className="row">
          <Button size="small" onClick={() => setComparing(true)}>
            {t('compare')}
          </Button>
          <Button size="small" busy={editing.save.isPending} onClick={onKeepMine}>
            {t('keepMine')}
          </Button>
          <Button size="small" onClick={() => editing.take(newest)}>
            {t('takeTheirs')}
          </Button>
        </div>
      }
    >
      <p>{t('conflictText', { base: editing.base?.version ?? 0 })}</p>
      {comparing && (
        <Dialog title={t('compareTitle', { version: newest.version })} shape="wide" onClose={() => setComparing(false)}>
          {newest.title !== editing.draft.title && <DiffView before={newest.title} after={editing.draft.title} />}
          <DiffView before={newest.body} after={editing.draft.body} />
        </Dialog>
      )}
    </Banner>
  )
}
