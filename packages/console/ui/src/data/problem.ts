import { defineWords, useFormat, useWords } from '@palier/design'
import { ApiError } from './client.ts'

const words = defineWords(
  {
    offline: 'The console could not reach Palier: no answer came. Your site is not affected.',
    server: 'The console could not reach Palier (HTTP {status}). Your site is not affected.',
    role: 'Your role does not allow this.',
    limited: 'Too many changes in a minute. Please try again in {wait}.',
    busy: 'This is already running. Please wait until it is done.',
    backend: 'The backend of the cache cannot answer now.',
    missingSetup: 'This part is not set up: {detail}.',
    refused: 'Palier refused this: {detail}.',
    broken: 'This page met an error of its own: {detail}',
  },
  {
    offline: 'La console n’a pas pu joindre Palier : aucune réponse. Votre site n’est pas touché.',
    server: 'La console n’a pas pu joindre Palier (HTTP {status}). Votre site n’est pas touché.',
    role: 'Votre rôle ne le permet pas.',
    limited: 'Trop de modifications en une minute. Veuillez réessayer dans {wait}.',
    busy: 'Une exécution est déjà en cours. Veuillez attendre qu’elle se termine.',
    backend: 'Le moteur de cache ne peut pas répondre pour le moment.',
    missingSetup: 'Cette partie n’est pas configurée : {detail}.',
    refused: 'Palier a refusé : {detail}.',
    broken: 'Cette page a rencontré une erreur : {detail}',
  },
)

export interface Said {
  readonly text: string
  /** To be quoted: the log has the reason under it. */
  readonly reference: string | undefined
}

/** Says an error in words. */
export function useProblem(): (error: unknown) => Said {
  const t = useWords(words)
  const format = useFormat()
  return error => {
    if (!(error instanceof ApiError)) {
      const detail = error instanceof Error ? error.message : String(error)
      return { text: t('broken', { detail }), reference: undefined }
    }
    const { status, code, retryAfter = 60, message: detail, reference } = error
    if (status === 0) return { text: t('offline'), reference: undefined }
    if (status === 429)
      return { text: t('limited', { wait: format.duration(retryAfter * 1000) }), reference: undefined }
    if (code === 'busy') return { text: t('busy'), reference: undefined }
    if (code === 'role-too-low') return { text: t('role'), reference }
    if (code === 'not-set-up') return { text: t('missingSetup', { detail }), reference: undefined }
    if (code.startsWith('PALIER_STORE_')) return { text: t('backend'), reference }
    if (status >= 500) return { text: t('server', { status: String(status) }), reference }
    return { text: t('refused', { detail }), reference: undefined }
  }
}
