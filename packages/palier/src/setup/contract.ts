import type { Scope } from '../options.ts'
import type { WordKey } from './words/en.ts'

/*
 * What the doors of the installation (web pages, `palier init`, environment) say to its engine and hear from it. Every
 * text is a key with its values, told in either language by `say`. No password is in anything of this file that comes
 * from the engine.
 */

export const STEPS = ['server', 'storage', 'redis', 'measure', 'proposal', 'types', 'apply', 'proof'] as const
export type StepId = (typeof STEPS)[number]

export type Language = 'en' | 'fr'

/** A text of the dictionaries and what stands in its gaps. Numbers are written as the language writes them. */
export interface Sentence {
  readonly key: WordKey
  readonly values?: Readonly<Record<string, string | number>>
}

/** `unknown`: it could not be checked, and the sentence says why. Nothing is blocked by that. */
export type Verdict = 'good' | 'note' | 'warning' | 'bad' | 'unknown'

/** One row of a step: what was looked at, what was found, how it is known. */
export interface Fact {
  /** Stable name of the row, for tests and anchors. */
  readonly id: string
  readonly verdict: Verdict
  /** What was looked at: the head of the row. */
  readonly label: Sentence
  /** What was found. */
  readonly text: Sentence
  /** How it is known: a variable, a path, an errno. Shown as it is. */
  readonly evidence?: string
  /** What to do about it. */
  readonly advice?: Sentence
}

/* ---- 1. server ---- */

export const SHAPES = ['cpanel', 'litespeed', 'container', 'kubernetes', 'pm2', 'vps', 'development'] as const
/** How this host runs applications. */
export type Shape = (typeof SHAPES)[number]

export interface ServerInput {
  /** The shape, when what was found is wrong. Left out: as found, or as it was last corrected. */
  readonly shape?: Shape
}

export interface ServerResult {
  readonly shape: Shape
  /** True when somebody chose the shape by hand. */
  readonly corrected: boolean
  /** Variables and paths that led to it. */
  readonly evidence: readonly string[]
  readonly facts: readonly Fact[]
  /** Processes of the application that were seen; undefined when the host cannot tell. */
  readonly processes: number | undefined
  /** Bytes this process may use: of the control group, else of the machine. */
  readonly memoryBytes: number | undefined
  /** False: settings cannot be written here, and are copied by hand instead. */
  readonly fileWritable: boolean
  /** Other people have accounts on this machine. */
  readonly shared: boolean
}

/* ---- 2. storage ---- */

/** What a hosting panel says of an account, copied by hand: no program can read it. */
export interface Quota {
  /** Files and directories (inodes). */
  readonly filesUsed?: number
  readonly filesLimit?: number
  /** Bytes. */
  readonly bytesUsed?: number
  readonly bytesLimit?: number
}

export interface StorageInput {
  /** Absolute, or below the directory of the installation. Default: CACHE_DIR, else `<directory>/.palier/cache`. */
  readonly dir?: string
  readonly quota?: Quota
  /** What the cache may use at most; left out, a tenth of what remains within sensible bounds. */
  readonly budget?: { readonly files?: number; readonly bytes?: number }
}

export interface StorageResult {
  /** Absolute. */
  readonly dir: string
  /** Everything a cache needs worked. */
  readonly usable: boolean
  /** The fourteen tests, in their order. */
  readonly tests: readonly Fact[]
  /** local, network, overlay, memory (tmpfs) or unknown. */
  readonly kind: 'local' | 'network' | 'overlay' | 'memory' | 'unknown'
  /** Milliseconds until another process saw a new file; undefined when no process could be started. */
  readonly visibleAfter: number | undefined
  readonly quota: Quota
  readonly budget: { readonly files: number; readonly bytes: number; readonly entries: number; readonly text: Sentence }
}

/* ---- 3. redis ---- */

/** What answered at an address, by its first bytes. */
export type RedisState =
  | 'open'
  | 'ready'
  | 'password'
  | 'wrong password'
  | 'protected'
  | 'loading'
  | 'replica'
  | 'max clients'
  | 'misconf'
  | 'tls'
  | 'sentinel'
  | 'no right'
  | 'other service'
  | 'not yours'
  | 'refused'
  | 'timeout'
  | 'unreachable'

/** Exactly one of `url`, `socket` and `host`. Never shown again; a password is kept in a 0600 file until it is applied. */
export interface RedisAddress {
  /** `redis://[user:password@]host:port[/db]` or `rediss://…`. */
  readonly url?: string
  /** Absolute path of a unix socket. */
  readonly socket?: string
  readonly host?: string
  /** Default 6379. */
  readonly port?: number
  readonly tls?: boolean
  readonly username?: string
  readonly password?: string
  /** Number of the database. Default 0. */
  readonly db?: number
}

export interface RedisInput {
  /** One more address to try; for one that was found already, its credentials. */
  readonly add?: RedisAddress
  /** `id` of a candidate that somebody added and does not want any more. */
  readonly forget?: string
  /** Also asks up to 200 ports of this machine, one after the other, 150 ms each at most. */
  readonly scan?: boolean
}

export interface RedisCandidate {
  /** Stable: `tcp:127.0.0.1:6380/0`, `tls:…`, `unix:/run/redis.sock/0`. */
  readonly id: string
  /** For people: `127.0.0.1:6380`, or the path of the socket. */
  readonly where: string
  readonly how: 'environment' | 'socket' | 'port' | 'container' | 'typed' | 'scan'
  /** The variable of the environment that names it. */
  readonly variable?: string
  readonly state: RedisState
  readonly verdict: Verdict
  readonly text: Sentence
  readonly advice?: Sentence
  readonly hasPassword: boolean
  /** Milliseconds of one PING; undefined when none was answered. */
  readonly latency: number | undefined
  /** Version, memory, policy, role, rights, strangers' keys: only of a Redis that let us in. */
  readonly facts: readonly Fact[]
  /** It can be measured: it lets us in, takes writes, and a client package is installed. */
  readonly usable: boolean
  /** It can be measured, and nothing speaks against using it. */
  readonly recommended: boolean
}

export interface RedisResult {
  /** In the order in which they were tried; those that nobody named and that do not answer are in `silent` instead. */
  readonly candidates: readonly RedisCandidate[]
  /** Addresses where nothing answers, for people. */
  readonly silent: readonly string[]
  /** The Redis client package of the application; undefined: none is installed. */
  readonly client: 'redis' | 'ioredis' | undefined
  /** What to install when there is none: `npm install redis`. */
  readonly install: string | undefined
  readonly summary: Sentence
  /** Ports that a scan asked. */
  readonly scanned: number
}

/* ---- 4. measure ---- */

export interface MeasureInput {
  /** Rows to measure: `memory`, `disk` and ids of Redis candidates. Default: all that are usable. */
  readonly only?: readonly string[]
}

/** Microseconds. */
export interface Timing {
  readonly p50: number
  readonly p95: number
  /** Where the true median lies with 95 % confidence. */
  readonly low: number
  readonly high: number
  readonly samples: number
}

export type ProofId = 'round-trip' | 'other-process' | 'stampede' | 'torn' | 'clear' | 'cut' | 'back'

export interface CorrectnessProof {
  readonly id: ProofId
  /** `not made`: it could not be tried here, or does not apply; the sentence says why. */
  readonly outcome: 'passed' | 'failed' | 'not made'
  readonly text: Sentence
  /** Milliseconds, where the proof measures some. */
  readonly ms?: number
}

export type Comparison = 'faster' | 'slower' | 'no measurable difference'

export interface MeasuredRow {
  /** `none`, `memory`, `disk` or the id of a Redis candidate. */
  readonly id: string
  readonly name: Sentence
  readonly readHit: Timing | undefined
  readonly write: Timing | undefined
  /** Reads and writes of four clients at once, 4 to 1. */
  readonly mixed: Timing | undefined
  readonly proofs: readonly CorrectnessProof[]
  /** Files, bytes and connections that the measurement took. */
  readonly cost: { readonly files: number; readonly bytes: number; readonly connections: number }
  /** Its reads against those of the disk (of the disk: against no cache). Undefined when there is nothing to compare with. */
  readonly comparison:
    | { readonly to: string; readonly verdict: Comparison; readonly times: number | undefined }
    | undefined
  /** Why it failed. */
  readonly failure: Sentence | undefined
}

export interface MeasureResult {
  /** No cache, memory, disk, then each Redis. */
  readonly rows: readonly MeasuredRow[]
  readonly rounds: number
  /** Milliseconds. */
  readonly took: number
  /** Ended early, and why: the budget of 20 s, the live site, Cancel. */
  readonly stopped: Sentence | undefined
}

/* ---- 5. proposal ---- */

export type Backend = 'redis' | 'filesystem' | 'memory'

export interface Proposal {
  /** `memory`, `disk` or the id of a Redis candidate. */
  readonly id: string
  readonly backend: Backend
  readonly title: Sentence
  /** The boxes of the chain: `memory`, the id of a Redis candidate, `disk`, `origin`. */
  readonly chain: readonly string[]
  /** What happens when the backend stops, with the takeover that was measured. */
  readonly takeover: Sentence | undefined
  /** At most three lines: what was seen that speaks for it. */
  readonly evidence: readonly Sentence[]
  /** What you give up. */
  readonly cost: readonly Sentence[]
  /** The tests speak against it: whoever wants it all the same says why. */
  readonly against: readonly Sentence[]
}

export interface ProposalInput {
  /** `id` of the proposal, of an alternative, or of any Redis candidate that lets us in. Default: the proposal. */
  readonly choose?: string
  /** Required when the tests speak against the choice: 1 to 300 characters. */
  readonly reason?: string
}

export interface ProposalResult {
  readonly proposal: Proposal
  readonly alternatives: readonly Proposal[]
  readonly chosen: Proposal
  /** Why somebody uses it against the tests. */
  readonly reason: string | undefined
}

/* ---- 6. types ---- */

/** A type of the application as it declared it. Milliseconds. */
export interface DeclaredType {
  readonly name: string
  readonly ttl: number
  readonly grace?: number
  readonly scope?: Scope
  /** For people, in any language. */
  readonly description?: string
}

export const PRESETS = ['prudent', 'balanced', 'aggressive'] as const
export type Preset = (typeof PRESETS)[number]

/** `never`: this type is not cached. */
export type Privacy = Scope | 'never'

export interface TypeEdit {
  readonly name: string
  /** Milliseconds, 1 s to 30 days. */
  readonly ttl?: number
  /** Milliseconds, 0 to 30 days: how long a stale value may be served. */
  readonly grace?: number
  /** A type that the application scopes to roles or users cannot be made `public` here. */
  readonly privacy?: Privacy
}

export interface TypesInput {
  /** Default `balanced`. */
  readonly preset?: Preset
  readonly edits?: readonly TypeEdit[]
}

export interface PlannedType {
  readonly name: string
  readonly description: string | undefined
  readonly ttl: number
  readonly grace: number
  readonly privacy: Privacy
  readonly declared: DeclaredType
  /** Changed by hand after the preset. */
  readonly edited: boolean
}

export interface TypesResult {
  readonly preset: Preset
  readonly presets: readonly { readonly id: Preset; readonly title: Sentence; readonly who: Sentence }[]
  readonly types: readonly PlannedType[]
  /** How to declare a type, when the application declared none. */
  readonly sample: string | undefined
}

/* ---- 7. apply ---- */

export interface DiffLine {
  readonly mark: '+' | '-' | ' '
  /** Secrets are shown as `${NAME}`. */
  readonly text: string
}

export interface Snippet {
  readonly id: 'env' | 'compose' | 'helm' | 'cpanel' | 'code' | 'command'
  readonly title: Sentence
  readonly text: string
}

/** What `apply` will do; nothing is written yet. */
export interface Review {
  readonly file: string
  readonly writable: boolean
  /** Why the file cannot be written. */
  readonly why: Sentence | undefined
  readonly diff: readonly DiffLine[]
  /** Files that will be touched, with their modes. */
  readonly touched: readonly { readonly path: string; readonly mode: string; readonly what: Sentence }[]
  readonly restart: Sentence
  readonly snippets: readonly Snippet[]
  /** Everything is in force already: there is nothing to apply. */
  readonly same: boolean
}

/** Without a member: as reviewed. */
export interface ApplyInput {
  /** Milliseconds until an unkept change is taken back, 10 s to 10 min. Default 60 s. */
  readonly revertAfter?: number
  /** The settings were copied by hand: nothing is written, and what is in force is checked. */
  readonly byHand?: boolean
}

export type ApplyPhase = 'waiting to be kept' | 'kept' | 'reverted' | 'by hand' | 'refused'

export interface ApplyResult {
  readonly phase: ApplyPhase
  readonly text: Sentence
  /** Name of this set of settings: processes that run with it say so (PALIER_SETTINGS). */
  readonly settings: string | undefined
  /** Milliseconds since 1970: when the change is taken back unless it is kept. */
  readonly revertAt: number | undefined
  /** Processes that run with the new settings, of all that were seen; undefined when the host cannot tell. */
  readonly processes: { readonly ready: number; readonly all: number } | undefined
  /** What to do now: restart by hand, copy a snippet. */
  readonly advice: Sentence | undefined
}

/* ---- 8. proof ---- */

export interface ProofRequest {
  readonly label: Sentence
  readonly status: 'MISS' | 'HIT' | 'STALE' | 'BYPASS' | 'unknown'
  readonly ms: number
  /** HTTP status; undefined when the cache itself was asked. */
  readonly http: number | undefined
  /** Header lines that matter, secrets left out. */
  readonly headers: readonly string[]
}

export interface ProofResult {
  /** `site`: real requests of the application; `cache`: the cache alone, with the settings in force. */
  readonly of: 'site' | 'cache'
  readonly passed: boolean
  /** First request, second, after the clear. */
  readonly requests: readonly ProofRequest[]
  /** Why the second was no hit, or the third no miss. */
  readonly reason: Sentence | undefined
  readonly cron: string
  readonly summary: Sentence
}
