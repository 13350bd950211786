import type { Invalidation, ResponseCacheOptions } from '../../../src/index.ts'
import type { CacheOptions } from 'palier'

/** Somebody who is logged in while `logins` of the site holds the secret. The secret must never reach anybody else. */
export interface User {
  readonly name: string
  readonly role: string
  readonly secret: string
}

export const ALICE: User = { name: 'alice', role: 'admin', secret: 'secretOfAlice7f3a' }
export const BOB: User = { name: 'bob', role: 'viewer', secret: 'secretOfBob91c4' }
export const CAROL: User = { name: 'carol', role: 'viewer', secret: 'secretOfCarol5d0e' }
export const EVERYBODY: readonly User[] = [ALICE, BOB, CAROL]

/** What a handler can look at, whatever framework it stands in. Nothing is read before it is called for. */
export interface Seen {
  readonly method: string
  /** Path and query. */
  target(): string
  headers(): Readonly<Record<string, unknown>>
  /** Every other way to the headers and to what is made of them. */
  views(): Readonly<Record<string, unknown>>
  query(): unknown
  /** Cookies, session and user, as earlier middleware left them. */
  derived(): unknown
  /** Where earlier middleware leaves things for handlers and templates. */
  beside(): unknown
  /** The address of the client. */
  address(): unknown
  user(): User | undefined
}

export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: string | Buffer
  /** Instead of `body`: written one by one, and past what a framework does of itself. */
  readonly chunks?: readonly (string | Buffer)[]
  /** After the chunks. Default `end`. */
  readonly last?: 'end' | 'destroy'
  /** Links of a 103 before it, where there is such a thing. */
  readonly hints?: string
}

export type ScopeName = 'public' | 'user' | 'role' | undefined

export interface Page {
  readonly path: string
  readonly type?: string
  readonly scope: ScopeName
  readonly ttl?: number
  readonly grace?: number
  readonly tags?: readonly string[]
  readonly vary?: readonly string[]
  readonly query?: readonly string[]
  readonly statuses?: readonly (404 | 410)[]
  /** In place of the name or the role of whoever asks. */
  readonly whose?: (user: User | undefined) => unknown
  /** From path and query. */
  readonly key?: (target: string) => string
  reply(seen: Seen): Reply | Promise<Reply>
}

/** A page that changes something. POST only. */
export interface Action {
  readonly path: string
  readonly changes: Invalidation
  run(seen: Seen): Reply | Promise<Reply>
}

export interface Site {
  readonly pages: readonly Page[]
  readonly actions?: readonly Action[]
  /** Earlier middleware takes the target from `X-Original-URL`, where a framework lets it. */
  readonly isRewritten?: boolean
  readonly cache?: CacheOptions
  readonly options?: ResponseCacheOptions
}

export interface Running {
  readonly port: number
  /** By secret. */
  readonly logins: Map<string, User>
  /** How many requests have come in. */
  asked(): number
  /** How often the handler of a path has run. */
  runs(path: string): number
  /** What the keys of the cache show. */
  keys(): Promise<string>
  /** Deletes all that is kept. */
  clear(): Promise<void>
  close(): Promise<void>
}

/** Of a cookie or a bearer token; `login` is a cookie that no list of session cookies knows. */
export function whoIs(
  logins: ReadonlyMap<string, User>,
  header: (name: string) => string | undefined,
): User | undefined {
  const bearer = /^Bearer (\S+)$/i.exec(header('authorization') ?? '')?.[1]
  const cookie = /(?:^|;\s*)(?:sid|login)=([^;]+)/.exec(header('cookie') ?? '')?.[1]
  return logins.get(bearer ?? cookie ?? '')
}

/** Values by name, for what comes as names and values by turns. */
export function grouped(list: readonly string[]): Readonly<Record<string, readonly string[]>> {
  const groups = new Map<string, string[]>()
  for (let i = 0; i < list.length; i += 2) {
    const name = (list[i] ?? '').toLowerCase()
    groups.set(name, [...(groups.get(name) ?? []), list[i + 1] ?? ''])
  }
  return Object.fromEntries(groups)
}
