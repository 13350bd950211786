import { badOption, type Cache, type Logger } from 'palier'
import type { Role } from './access.ts'

/** One change, or one that was refused. Never a value of an entry, nor whose an entry is. */
export interface AuditEntry {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly who: { readonly role: Role; readonly name?: string }
  /** The client's address, where it is known. */
  readonly from?: string
  /** `invalidate-type`, `clear-all`, `set-config` … */
  readonly what: string
  /** `type dashboard`, `key product:17` … */
  readonly target?: string
  /** Of a clear: how many entries there were to clear. Of others: how many types were changed, or warm-ups ran well. */
  readonly count?: number
  /** `done`: taken by all. `pending`: done here, the backend still has to hear of it. `refused`: not allowed. `failed`: tried in vain. */
  readonly outcome: 'done' | 'pending' | 'refused' | 'failed'
  /** What the caller was answered. */
  readonly status: number
  /** Why it was refused or failed. */
  readonly code?: string
}

export interface AuditPage {
  /** Newest first. */
  readonly entries: readonly (AuditEntry & { readonly id: string })[]
  /** Pass it as `after` for the page before in time; absent on the last one. */
  readonly after?: string
}

export interface Audit {
  /** Tells the callback and the log, then the backend. Never rejects: what the backend does not take is a line in the log. */
  record(entry: AuditEntry): Promise<void>
  /** Rejects with PALIER_STORE_* when the backend cannot answer, with PALIER_BAD_OPTION for an `after` that is none. */
  read(after: string | undefined): Promise<AuditPage>
  /** How many entries there are, and for how many milliseconds each is kept. Rejects as `read` does. */
  kept(): Promise<{ readonly entries: number; readonly keep: number }>
}

export interface AuditOptions {
  readonly log: Logger
  readonly tell: ((entry: AuditEntry) => void | Promise<void>) | undefined
}

/** Entries of one document, and how many documents there are at a time: the oldest go as new ones come. */
const PER_PAGE = 200
const PAGES = 50
const KEPT = 400 * 86_400_000
const SHOWN = 100

type Page = readonly AuditEntry[]

/** One line, whatever the names hold. */
const oneLine = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')

function lineOf({ who, from, what, target, count, outcome, status, code }: AuditEntry): string {
  const by = `${who.role}${who.name === undefined ? '' : ` ${JSON.stringify(who.name)}`}${from === undefined ? '' : ` from ${from}`}`
  const how = `${outcome} (${status}${code === undefined ? '' : `, ${code}`})`
  const on = `${target === undefined ? '' : ` ${target}`}${count === undefined ? '' : ` (count ${count})`}`
  return oneLine(`[CACHE AUDIT] ${by}: ${what}${on}: ${how}`)
}

export function createAudit(cache: Pick<Cache, 'documents'>, { log, tell }: AuditOptions): Audit {
  const heads = cache.documents<number>('palier-console-audit-head')
  const pages = cache.documents<Page>('palier-console-audit')

  const newest = async (): Promise<number> => (await heads.read('newest'))?.value ?? 1

  const append = async (entry: AuditEntry): Promise<void> => {
    for (let page = await newest(); ; ) {
      let added = false
      await pages.change(String(page), before => {
        const entries = before?.value ?? []
        added = entries.length < PER_PAGE
        return added ? { value: [...entries, entry], ttl: KEPT } : undefined
      })
      if (added) return
      const next = page + 1
      const head = await heads.change('newest', before =>
        (before?.value ?? 1) >= next ? undefined : { value: next, ttl: KEPT },
      )
      if (next > PAGES) await pages.delete(String(next - PAGES))
      page = Math.max(next, head?.value ?? next)
    }
  }

  const read = async (after: string | undefined): Promise<AuditPage> => {
    const place = after === undefined ? undefined : /^([1-9]\d{0,9})\.(\d{1,4})$/.exec(after)
    if (place === null) throw badOption('after', 'the `after` of a page of the audit log', after)
    const last = await newest()
    const first = Math.max(1, last - PAGES + 1)
    let page = Math.min(last, Number(place?.[1] ?? last))
    let below = place === undefined ? PER_PAGE : Number(place[2])
    const entries: (AuditEntry & { readonly id: string })[] = []
    for (; page >= first; page--, below = PER_PAGE) {
      const kept = (await pages.read(String(page)))?.value ?? []
      for (let i = Math.min(below, kept.length) - 1; i >= 0; i--) {
        const entry = kept[i]
        if (entry === undefined) continue
        if (entries.length === SHOWN) return { entries, ...(entries.at(-1) && { after: entries.at(-1)?.id ?? '' }) }
        entries.push({ ...entry, id: `${page}.${i}` })
      }
    }
    return { entries }
  }

  const warn = (what: string, error: unknown): void =>
    log.warn(oneLine(`[CACHE AUDIT] ${what}: ${error instanceof Error ? error.message : String(error)}`))

  return {
    async record(entry) {
      try {
        await tell?.(entry)
      } catch (error) {
        warn('the callback failed', error)
      }
      log.info(lineOf(entry))
      try {
        await append(entry)
      } catch (error) {
        warn('not kept', error)
      }
    },
    read,
    async kept() {
      const last = await newest()
      const full = Math.min(last, PAGES) - 1
      const entries = full * PER_PAGE + ((await pages.read(String(last)))?.value.length ?? 0)
      return { entries, keep: KEPT }
    },
  }
}
