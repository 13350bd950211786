import { Banner, Button, defineWords, Door, TextField, useWords } from '@palier/design'
import { useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useEffect, useState } from 'react'
import type { SessionAnswer, SignIn } from '../../../src/api.ts'
import { ApiError } from '../data/client.ts'
import { ENTRY, useClient } from '../data/context.ts'
import { useProblem } from '../data/problem.ts'
import './unlock.css'

const words = defineWords(
  {
    title: 'The console is locked',
    lead: 'It shows what the cache holds and can clear it, so it opens for those who run this site only.',
    ended: 'Your session has ended. Please open the console again.',
    token: 'Console token',
    open: 'Open the console',
    where: 'Where is the token?',
    file: 'In the file {file} in the cache directory. The log names its full path when the site starts:',
    told: 'It was given to the console as the option “token”, or in a file of that option. Ask whoever deployed this site.',
    renew: 'Delete the file and start the site again for a new token.',
    session: 'The token is not kept in this browser: a session of eight hours is opened with it.',
    wrong: 'This is not the token. Check that you copied all of it, without a space.',
    limited: 'Too many wrong tokens. Please wait {wait} s before you try again.',
    application:
      'Your application decides who may come in here. Log in there as somebody who may see the cache, then come back.',
    retry: 'I have logged in',
  },
  {
    title: 'La console est verrouillée',
    lead: 'Elle montre le contenu du cache et permet de le vider : elle ne s’ouvre qu’aux personnes qui gèrent ce site.',
    ended: 'Votre session est terminée. Veuillez rouvrir la console.',
    token: 'Jeton de la console',
    open: 'Ouvrir la console',
    where: 'Où se trouve le jeton ?',
    file: 'Dans le fichier {file} du répertoire de cache. Le journal indique son chemin complet au démarrage du site :',
    told: 'Il a été donné à la console par l’option « token », ou dans un fichier de cette option. Demandez à la personne qui a déployé ce site.',
    renew: 'Pour obtenir un nouveau jeton, supprimez le fichier et redémarrez le site.',
    session: 'Le jeton n’est pas conservé dans ce navigateur : il ouvre une session de huit heures.',
    wrong: 'Ce n’est pas le jeton. Vérifiez que vous l’avez copié en entier, sans espace.',
    limited: 'Trop de jetons erronés. Veuillez attendre {wait} s avant de réessayer.',
    application:
      'Votre application décide qui peut entrer ici. Connectez-vous à celle-ci avec un compte autorisé à voir le cache, puis revenez.',
    retry: 'Je suis connecté',
  },
)

function TokenForm({ signIn }: { readonly signIn: SignIn }): ReactNode {
  const t = useWords(words)
  const say = useProblem()
  const client = useClient()
  const queries = useQueryClient()
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const submit = async (form: HTMLFormElement): Promise<void> => {
    const given = new FormData(form).get('token')
    const token = typeof given === 'string' ? given.trim() : ''
    setBusy(true)
    setProblem(undefined)
    try {
      await client.change<SessionAnswer>('POST', 'session', { token })
      await queries.resetQueries({ queryKey: ENTRY })
    } catch (error) {
      const isWrong = error instanceof ApiError && error.status === 401
      const isLimited = error instanceof ApiError && error.status === 429
      setProblem(isWrong ? t('wrong') : isLimited ? t('limited', { wait: error.retryAfter ?? 60 }) : say(error).text)
      setBusy(false)
    }
  }
  const { file } = signIn
  return (
    <>
      <form
        className="stack"
        onSubmit={event => {
          event.preventDefault()
          void submit(event.currentTarget)
        }}
      >
        <TextField
          label={t('token')}
          name="token"
          type="password"
          className="mono"
          autoComplete="off"
          spellCheck={false}
          required
          autoFocus
          problem={problem}
        />
        <Button kind="primary" type="submit" busy={busy}>
          {t('open')}
        </Button>
      </form>
      <details className="small">
        <summary>{t('where')}</summary>
        <div className="stack tight">
          {file === undefined ? (
            <p>{t('told')}</p>
          ) : (
            <>
              <p>{t('file', { file })}</p>
              <pre className="code">[CACHE CONSOLE] access by the token in …/{file}</pre>
              <p className="muted">{t('renew')}</p>
            </>
          )}
          <p className="muted">{t('session')}</p>
        </div>
      </details>
    </>
  )
}

/** Why the console is locked, and how it opens. */
export function Unlock({ signIn, ended }: { readonly signIn: SignIn; readonly ended: boolean }): ReactNode {
  const t = useWords(words)
  const queries = useQueryClient()
  useEffect(() => {
    document.title = `${t('title')} · Palier`
  }, [t])
  return (
    <Door name="Palier" title={t('title')} lead={t('lead')}>
      {ended && <Banner tone="warming" title={t('ended')} />}
      {signIn.application && (
        <div className="stack tight">
          <p>{t('application')}</p>
          <Button icon="refresh" onClick={() => void queries.resetQueries({ queryKey: ENTRY })}>
            {t('retry')}
          </Button>
        </div>
      )}
      {signIn.token && <TokenForm signIn={signIn} />}
    </Door>
  )
}
