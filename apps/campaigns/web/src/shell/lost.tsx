import { Button, defineWords, Empty, Failure, useWords } from '@palier/design'
import { type ErrorComponentProps, Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'

const words = defineWords(
  {
    missing: 'There is no such page',
    missingText: 'The address may have a mistake, or what was here has been deleted.',
    home: 'To the dashboard',
    broken: 'This page cannot be shown',
    brokenText: 'An error stopped it: {detail}',
    reload: 'Load the page again',
  },
  {
    missing: 'Cette page n’existe pas',
    missingText: 'L’adresse contient peut-être une erreur, ou l’élément a été supprimé.',
    home: 'Vers le tableau de bord',
    broken: 'Cette page ne peut pas être affichée',
    brokenText: 'Une erreur l’a arrêtée : {detail}',
    reload: 'Recharger la page',
  },
)

export function Missing(): ReactNode {
  const t = useWords(words)
  return (
    <main className="content" id="main" tabIndex={-1}>
      <h1 className="visually-hidden">{t('missing')}</h1>
      <Empty icon="search" title={t('missing')} action={<Link to="/">{t('home')}</Link>}>
        {t('missingText')}
      </Empty>
    </main>
  )
}

/** A fault of ours, or a new version of the application whose old files are gone: loading the page again mends the second. */
export function Broken({ error }: ErrorComponentProps): ReactNode {
  const t = useWords(words)
  return (
    <main className="content" id="main" tabIndex={-1}>
      <h1 className="visually-hidden">{t('broken')}</h1>
      <Failure
        title={t('broken')}
        text={t('brokenText', { detail: error instanceof Error ? error.message : String(error) })}
      />
      <p className="row end">
        <Button icon="refresh" onClick={() => location.reload()}>
          {t('reload')}
        </Button>
      </p>
    </main>
  )
}
