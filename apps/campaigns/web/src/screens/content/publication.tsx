import { Button, Card, Icon, useFormat, useToast, useWords } from '@palier/design'
import { useMutation } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import type { Answer } from '../../data/client.ts'
import { type Page, publicAddress } from '../../data/content.ts'
import { useClient } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { useMay } from '../../session/session.ts'
import { PageStatus } from './page-status.tsx'
import { editorWords } from './words.ts'

interface PublicationProps {
  readonly page: Page
  readonly isChanged: boolean
  /** Why it cannot be published now, whoever asks. */
  readonly refusal: string | false
  /** Saves what is written; undefined when that was refused. */
  readonly onSave: () => Promise<Page | undefined>
  readonly onAnswer: (answer: Answer<Page>) => void
}

function usePublication({ page, isChanged, onSave, onAnswer }: PublicationProps) {
  const t = useWords(editorWords)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const onError = (error: unknown): void => toast({ text: say(error).text, failed: true })
  const path = { id: page.id }
  const publish = useMutation({
    mutationFn: async () => {
      const newest = isChanged ? await onSave() : page
      if (newest === undefined) return
      const answer = await client.ask('POST /content/{id}/publish', { path, body: { version: newest.version } })
      onAnswer(answer)
      toast({ text: t('published', { version: answer.value.version }) })
    },
    onError,
  })
  const unpublish = useMutation({
    mutationFn: () => client.ask('POST /content/{id}/unpublish', { path }),
    onSuccess: answer => {
      onAnswer(answer)
      // The undo shows what was seen only while that is the newest version.
      const canUndo = page.published_version === page.version
      toast({
        text: t('unpublished'),
        ...(canUndo && { action: { label: t('publishAgain'), run: () => publish.mutate() } }),
      })
    },
    onError,
  })
  return { publish, unpublish }
}

function Facts({ page }: { readonly page: Page }): ReactNode {
  const t = useWords(editorWords)
  const format = useFormat()
  const facts: readonly (readonly [string, string])[] = [
    [t('version'), format.number(page.version)],
    [t('live'), page.published_version === null ? t('none') : format.number(page.published_version)],
    [t('author'), page.author_name ?? t('nobody')],
    [t('savedAt'), format.dateTime(page.updated_at)],
    ...(page.published_at === null ? [] : [[t('firstPublished'), format.dateTime(page.published_at)] as const]),
  ]
  return (
    <dl className="facts small page-facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

/** What visitors see of the page, and what decides it. */
export function Publication(props: PublicationProps & { readonly onVersions: () => void }): ReactNode {
  const { page, isChanged, refusal, onVersions } = props
  const t = useWords(editorWords)
  const may = useMay()
  const { publish, unpublish } = usePublication(props)
  const isNewest = page.published_version === page.version && !isChanged
  const label = isChanged ? 'saveAndPublish' : page.status === 'published' ? 'publishChanges' : 'publish'
  const mayNot = !may('content:publish') && t('mayNotPublish')
  return (
    <Card title={t('publication')} actions={<PageStatus page={page} />}>
      <div className="stack">
        <Facts page={page} />
        <div className="stack tight publication-actions">
          <Button
            icon="globe"
            busy={publish.isPending}
            unavailable={mayNot || refusal || (isNewest && t('upToDate'))}
            onClick={() => publish.mutate()}
          >
            {t(isNewest ? 'publish' : label)}
          </Button>
          {page.status === 'published' && (
            <>
              <a className="button" href={publicAddress(page.slug)} target="_blank" rel="noopener">
                <Icon name="external" />
                {t('public')}
              </a>
              <Button
                kind="quiet"
                icon="eyeOff"
                busy={unpublish.isPending}
                unavailable={mayNot}
                onClick={() => unpublish.mutate()}
              >
                {t('unpublish')}
              </Button>
            </>
          )}
          <Button kind="quiet" icon="history" onClick={onVersions}>
            {t('versions')}
          </Button>
        </div>
      </div>
    </Card>
  )
}
