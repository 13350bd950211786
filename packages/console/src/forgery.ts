import { createHmac, randomBytes } from 'node:crypto'
import type { Documents } from 'palier'
import { digest, isSame } from './token.ts'

/** What a page sends back to show that it could read an answer of this console. */
export interface ForgeryGuard {
  /** The token for whoever has this name; rejects when the backend cannot answer and it was never asked before. */
  issue(name: string | undefined): Promise<string>
  check(name: string | undefined, token: string): Promise<boolean>
}

const YEAR = 365 * 86_400_000

const sign = (secret: Buffer, name: string | undefined): string =>
  createHmac('sha256', secret)
    .update(JSON.stringify(name ?? null))
    .digest('base64url')

/** From a token that every process has anyway. */
export function guardFromToken(token: string): ForgeryGuard {
  const secret = digest(`palier console anti-forgery ${token}`)
  return {
    issue: name => Promise.resolve(sign(secret, name)),
    check: (name, given) => Promise.resolve(isSame(sign(secret, name), given)),
  }
}

/** From a secret in the backend, which whoever needs it first makes, so that the processes agree. */
export function guardFromDocuments(documents: Documents<string>): ForgeryGuard {
  let known: Promise<Buffer> | undefined

  const load = async (): Promise<Buffer> => {
    const kept = await documents.change('anti-forgery', before => {
      if (before !== undefined && before.remaining > YEAR / 2) return undefined
      return { value: before?.value ?? randomBytes(32).toString('hex'), ttl: YEAR }
    })
    return digest(kept?.value ?? randomBytes(32).toString('hex'))
  }

  const secret = (): Promise<Buffer> => {
    if (known === undefined) {
      const loading = load()
      known = loading
      loading.catch(() => {
        if (known === loading) known = undefined
      })
    }
    return known
  }

  return {
    issue: async name => sign(await secret(), name),
    check: async (name, given) => {
      if (isSame(sign(await secret(), name), given)) return true
      try {
        // The backend may have lost its data, and another process made a new one.
        const current = await load()
        known = Promise.resolve(current)
        return isSame(sign(current, name), given)
      } catch {
        return false
      }
    },
  }
}
