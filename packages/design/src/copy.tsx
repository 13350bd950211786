import { type ReactNode, useState } from 'react'
import { Button } from './controls.tsx'
import { useWords } from './settings.tsx'
import { defineWords } from './words.ts'

const words = defineWords(
  { copy: 'Copy', copied: 'Copied', failed: 'Select the text and copy it' },
  { copy: 'Copier', copied: 'Copié', failed: 'Sélectionner le texte et le copier' },
)

/** Puts a text on the clipboard, and says whether the browser allowed it. */
export function CopyButton({ text, label }: { readonly text: string; readonly label?: string }): ReactNode {
  const t = useWords(words)
  const [outcome, setOutcome] = useState<'copied' | 'failed' | undefined>(undefined)
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text)
      setOutcome('copied')
    } catch {
      // Pages that were not sent over https have no clipboard.
      setOutcome('failed')
    }
  }
  return (
    <Button size="small" icon={outcome === 'copied' ? 'check' : 'copy'} onClick={() => void copy()}>
      <span aria-live="polite">{outcome === undefined ? (label ?? t('copy')) : t(outcome)}</span>
    </Button>
  )
}

/** A command or a piece of configuration, to be copied. */
export function CodeBlock({ text, label }: { readonly text: string; readonly label: string }): ReactNode {
  return (
    <div className="stack tight">
      <div className="row between">
        <span className="label">{label}</span>
        <CopyButton text={text} />
      </div>
      <pre className="code" tabIndex={0} aria-label={label}>
        {text}
      </pre>
    </div>
  )
}
