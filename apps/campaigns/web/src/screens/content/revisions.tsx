import { Button, Dialog, Failure, Loading, LoadMore, Pill, useFormat, useToast, useWords } from '@palier/design'
import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import type { Answer } from '../../data/client.ts'
import { type Page, type Revision, revisionQuery, revisionsQuery } from '../../data/content.ts'
import { useClient } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { DiffView } from './diff-view.tsx'
import { revisionWords } from './words.ts'

/** What differs between an older version and the newest one, and the way back to it. */
function Comparison({
  page,
  version,
  unavailable,
  onRestored,
}: {
  readonly page: Page
  readonly version: number
  readonly unavailable: string | false
  readonly onRestored: (answer: Answer<Page>) => void
}): ReactNode {
  const t = useWords(revisionWords)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const { data, error, refetch } = useQuery(revisionQuery(client, page.id, version))
  const restore = useMutation({
    mutationFn: () =>
      client.ask('POST /content/{id}/restore/{version}', {
        path: { id: page.id, version },
        body: { version: page.version },
      }),
    onSuccess: answer => {
      toast({ text: t('restored', { from: version, version: answer.value.version }) })
      onRestored(answer)
    },
    onError: problem => toast({ text: say(problem).text, failed: true }),
  })
  if (data === undefined) {
    if (error === null) return <Loading lines={6} />
    return <Failure text={say(error).text} onRetry={() => void refetch()} />
  }
  const old = data.value
  const hasSameCover = old.cover_media_id === (page.cover?.media_id ?? null)
  const isSame = old.title === page.title && old.body === page.body && hasSameCover
  return (
    <div className="stack">
      {isSame ? (
        <p>{t('same')}</p>
      ) : (
        <>
          <p className="small muted">{t('against', { version })}</p>
          {old.title !== page.title && (
            <div className="stack tight">
              <span className="label">{t('titleWas')}</span>
              <DiffView before={old.title} after={page.title} />
            </div>
          )}
          {!hasSameCover && <p>{t('coverDiffers')}</p>}
          {old.body !== page.body && <DiffView before={old.body} after={page.body} />}
        </>
      )}
      <div>
        <Button icon="undo" busy={restore.isPending} unavailable={unavailable} onClick={() => restore.mutate()}>
          {t('restore')}
        </Button>
      </div>
    </div>
  )
}

function RevisionButton({
  revision,
  page,
  isChosen,
  onChoose,
}: {
  readonly revision: Revision
  readonly page: Page
  readonly isChosen: boolean
  readonly onChoose: () => void
}): ReactNode {
  const t = useWords(revisionWords)
  const format = useFormat()
  const { version, author_name, created_at } = revision
  return (
    <button type="button" className="revision" aria-expanded={isChosen} onClick={onChoose}>
      <span className="row">
        <strong>{t('version', { version })}</strong>
        {version === page.version && <Pill>{t('newest')}</Pill>}
        {version === page.published_version && <Pill tone="healthy">{t('live')}</Pill>}
      </span>
      <span className="small muted">
        {t('by', { name: author_name ?? t('nobody'), time: format.dateTime(created_at) })}
      </span>
    </button>
  )
}

/** All saves of a page, in a drawer. */
export function Revisions({
  page,
  unavailable,
  onRestored,
  onClose,
}: {
  readonly page: Page
  /** Why an older version cannot be restored now. */
  readonly unavailable: string | false
  readonly onRestored: (answer: Answer<Page>) => void
  readonly onClose: () => void
}): ReactNode {
  const t = useWords(revisionWords)
  const say = useProblem()
  const [chosen, setChosen] = useState<number | undefined>(undefined)
  const query = useInfiniteQuery(revisionsQuery(useClient(), page.id))
  const { data, error } = query
  const revisions = data?.pages.flatMap(part => part.value.items) ?? []
  return (
    <Dialog title={t('title')} shape="drawer" onClose={onClose}>
      {data === undefined && error === null && <Loading lines={5} />}
      {data === undefined && error !== null && <Failure text={say(error).text} onRetry={() => void query.refetch()} />}
      {data !== undefined && (
        <div className="stack">
          <p className="small muted">{t('choose')}</p>
          <ol className="revisions">
            {revisions.map(revision => (
              <li key={revision.version}>
                <RevisionButton
                  revision={revision}
                  page={page}
                  isChosen={chosen === revision.version}
                  onChoose={() => setChosen(chosen === revision.version ? undefined : revision.version)}
                />
                {chosen === revision.version && revision.version !== page.version && (
                  <div className="revision-more">
                    <Comparison
                      page={page}
                      version={revision.version}
                      unavailable={unavailable}
                      onRestored={answer => {
                        setChosen(undefined)
                        onRestored(answer)
                      }}
                    />
                  </div>
                )}
              </li>
            ))}
          </ol>
          <LoadMore
            count={revisions.length}
            hasMore={query.hasNextPage}
            busy={query.isFetchingNextPage}
            onMore={() => void query.fetchNextPage()}
          />
        </div>
      )}
    </Dialog>
  )
}
