import { useWords } from '@palier/design'
import { type ReactNode, useMemo } from 'react'
import { diffLines, foldEqual } from './diff.ts'
import { revisionWords } from './words.ts'

/** What one text became in the other, line by line; the signs and the hidden words say it without colours. */
export function DiffView({ before, after }: { readonly before: string; readonly after: string }): ReactNode {
  const t = useWords(revisionWords)
  const lines = useMemo(() => foldEqual(diffLines(before, after)), [before, after])
  return (
    <div className="diff" role="group" aria-label={t('diff')} tabIndex={0}>
      {lines.map((line, at) =>
        line.kind === 'skipped' ? (
          <p key={at} className="diff-skipped small muted">
            {t('skipped', { count: line.count })}
          </p>
        ) : (
          <p key={at} className={`diff-line ${line.kind}`}>
            <span className="diff-sign" aria-hidden="true">
              {line.kind === 'added' ? '+' : line.kind === 'removed' ? '−' : ' '}
            </span>
            {line.kind !== 'same' && <span className="visually-hidden">{t(line.kind)}, </span>}
            <span className="wrap-anywhere">{line.text === '' ? ' ' : line.text}</span>
          </p>
        ),
      )}
    </div>
  )
}
