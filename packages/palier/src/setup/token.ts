import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import type { Unlocking } from './door.ts'
import { readIfThere, replaceFile } from './files.ts'
import type { StateFile } from './state.ts'

const TRIES = 5
const MINUTE = 60_000

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

export interface Token {
  readonly file: string
  /** Makes one unless there is one; resolves with it. */
  ensure(): Promise<string>
  unlock(typed: string): Promise<Unlocking>
}

export function createToken(state: StateFile, clock: Clock): Token {
  const file = join(state.dir, 'setup-token')
  const renew = async (): Promise<string> => {
    const token = randomBytes(20).toString('hex')
    await replaceFile(file, `${token}\n`)
    return token
  }
  const ensure = async (): Promise<string> => {
    const there = (await readIfThere(file))?.trim()
    return there === undefined || there === '' ? renew() : there
  }
  return {
    file,
    ensure,
    async unlock(typed) {
      const now = clock.wall()
      let retryIn = 0
      const saved = await state.update(each => {
        const tries = each.tries.filter(at => at > now - MINUTE && at <= now)
        // Tries count over all processes: a restart of the application must not give five more.
        retryIn = tries.length < TRIES ? 0 : (tries[0] ?? now) + MINUTE - now
        return { ...each, tries: retryIn > 0 ? tries : [...tries, now] }
      })
      if (saved.finished) return { ok: false, why: 'finished', text: { key: 'unlock.finished' } }
      if (retryIn > 0) {
        const seconds = Math.ceil(retryIn / 1000)
        return { ok: false, why: 'slow', text: { key: 'unlock.slow', values: { seconds } }, retryIn }
      }
      const right = timingSafeEqual(digest(await ensure()), digest(typed.trim()))
      if (!right) return { ok: false, why: 'wrong', text: { key: 'unlock.wrong', values: { file } } }
      await renew()
      await state.update(each => ({ ...each, tries: [] }))
      return { ok: true }
    },
  }
}
