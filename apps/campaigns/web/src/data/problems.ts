import { defineWords, useWords } from '@palier/design'
import { ApiError } from './client.ts'

const words = defineWords(
  {
    offline: 'The server cannot be reached. What you see may be old.',
    forbidden: 'Your role does not allow this.',
    notFound: 'This does not exist any more.',
    conflict: 'This conflicts with what is there. {detail}',
    limited: 'Too many requests. Try again in a minute.',
    server: 'Something went wrong on the server.',
    refused: 'This was not accepted. {detail}',
    unknown: 'Something went wrong. {detail}',
  },
  {
    offline: 'Le serveur est injoignable. Ce que vous voyez peut être ancien.',
    forbidden: 'Votre rôle ne le permet pas.',
    notFound: 'Cet élément n’existe plus.',
    conflict: 'Conflit avec l’existant. {detail}',
    limited: 'Trop de requêtes. Réessayez dans une minute.',
    server: 'Une erreur est survenue sur le serveur.',
    refused: 'La demande a été refusée. {detail}',
    unknown: 'Une erreur est survenue. {detail}',
  },
)

export interface Said {
  readonly text: string
  /** For whoever looks into the log of the server. */
  readonly reference: string | undefined
  readonly fields: Readonly<Record<string, string>>
}

/** Says an error in the language of the page; the server's own words, in English, only where they say more. */
export function useProblem(): (error: unknown) => Said {
  const t = useWords(words)
  return error => {
    if (!(error instanceof ApiError)) {
      const detail = error instanceof Error ? error.message : String(error)
      return { text: t('unknown', { detail }), reference: undefined, fields: {} }
    }
    const { status, message: detail, reference, fields } = error
    const key =
      status === 0
        ? 'offline'
        : status === 403
          ? 'forbidden'
          : status === 404
            ? 'notFound'
            : status === 409
              ? 'conflict'
              : status === 429
                ? 'limited'
                : status >= 500
                  ? 'server'
                  : 'refused'
    return { text: t(key, { detail }), reference: status >= 500 ? reference : undefined, fields }
  }
}
