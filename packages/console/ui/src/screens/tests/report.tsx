import { Button, Card, CopyButton, Icon, useWords } from '@palier/design'
import { type ReactNode, useState } from 'react'
import { useAct } from '../../data/act.ts'
import { download } from '../activity/download.ts'
import { words } from './words.ts'

/** The id that the report begins with. */
const idIn = (text: string): string => /^Palier report (\S+?),/.exec(text)?.[1] ?? ''

/** All that is worth knowing, as a text for a ticket. */
export function Report(): ReactNode {
  const t = useWords(words)
  const [text, setText] = useState<string | undefined>(undefined)
  const { busy, run } = useAct<undefined, string>(client => client.text('cache/report', { format: 'text' }), {
    quiet: true,
  })
  const make = async (): Promise<void> => {
    const made = await run(undefined)
    if (made !== undefined) setText(made)
  }
  return (
    <Card title={t('report')}>
      <div className="stack tight">
        <p className="muted">{t('reportText')}</p>
        <div className="row">
          <Button icon="file" busy={busy} onClick={() => void make()}>
            {t('reportMake')}
          </Button>
          <a className="button" href="./api/cache/report?format=json" download="palier-report.json">
            <Icon name="download" />
            {t('reportJson')}
          </a>
        </div>
        {text !== undefined && (
          <>
            <div className="row between">
              <strong role="status">{t('reportIs', { id: idIn(text) })}</strong>
              <span className="row">
                <CopyButton text={text} />
                <Button
                  size="small"
                  icon="download"
                  onClick={() => download(`palier-report-${idIn(text)}.txt`, text, 'text/plain;charset=utf-8')}
                >
                  {t('reportDownload')}
                </Button>
              </span>
            </div>
            <pre className="code report" tabIndex={0} lang="en" aria-label={t('reportIs', { id: idIn(text) })}>
              {text}
            </pre>
          </>
        )}
      </div>
    </Card>
  )
}
