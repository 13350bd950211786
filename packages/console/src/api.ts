import type {
  Alert,
  AlertRule,
  AlertsView,
  Budget,
  Cleared,
  ClearTarget,
  Delivered,
  Explanation,
  FleetView,
  HealthState,
  HealthView,
  HistoryKept,
  HistoryView,
  KeyPage,
  MissReason,
  PolicyView,
  Preview,
  Receipt,
  Setting,
  Stats,
  Status,
  TierStats,
  TimelineEvent,
  Undone,
} from 'palier'
import type { Role } from './access.ts'
import type { ProblemCode } from './answer.ts'
import type { AuditPage } from './audit.ts'
import type { Probed } from './probe.ts'

/*
 * Every answer of the management API, as a page reads it. Instants are milliseconds since 1970 and durations milliseconds,
 * unless a name says otherwise. All paths are relative to the mount: `api/cache/…` from a page at `<mount>/`.
 */

/** Any answer that is not 2xx: `application/problem+json`. */
export interface ProblemAnswer {
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  /** One of these, or a `PALIER_*` code. */
  readonly code: ProblemCode | `PALIER_${string}`
  readonly detail: string
  /** Names this one answer; the log has it where the reason is not told. */
  readonly id: string
  /** With 401: how to get in. */
  readonly signIn?: SignIn
  /** With 503 of a clear. */
  readonly receipt?: Receipt
}

export interface SignIn {
  /** `POST api/session` takes the console's token. */
  readonly token: boolean
  /** The application lets people in by its own means. */
  readonly application: boolean
  /** The name of the file that holds the token, as the log tells it in full; only where the application lets nobody in. */
  readonly file?: string
}

/** What this console can do, so that a control can say why it cannot be used. */
export interface Features {
  /** Figures of all processes, history, alerts. */
  readonly monitor: boolean
  /** Names that `POST api/cache/warm` takes as `type`; none: nothing can be warmed. */
  readonly warm: readonly string[]
  readonly undo: true
  /** There is a backend that can be tried at once. */
  readonly tryNow: boolean
  /** The backend cannot be passed over by hand. */
  readonly bypass: false
  /** `DELETE api/session` ends this session: it began with the console's token. */
  readonly signOut: boolean
}

/** `GET api/cache/bootstrap` (viewer). */
export interface BootstrapAnswer {
  readonly namespace: string
  readonly role: Role
  /** What the audit log calls whoever asks. */
  readonly name?: string
  /** The badge: `production`, `staging` … */
  readonly environment: string
  /** Of `@palier/console`, which goes with the same version of `palier`. */
  readonly version: string
  readonly features: Features
  /** How often a page that is seen asks for a snapshot. */
  readonly pollEvery: number
  readonly languages: readonly ['en', 'fr']
  /** The first of them that the browser asks for. */
  readonly language: 'en' | 'fr'
  /** By type, as the cache knows them; the default type is `default`. */
  readonly types: readonly string[]
  readonly now: number
}

/** `POST api/session` with `{ "token": … }`: the cookie it sets opens the API for eight hours. */
export interface SessionAnswer {
  readonly role: Role
  readonly until: number
}

/** `GET api/cache/stats` (viewer): of this process, and with a monitor of all. */
export interface StatsAnswer {
  readonly status: HealthState
  readonly reason: string
  readonly backend: Status['backend']
  readonly is_available: boolean
  readonly hits: number
  readonly stale_hits: number
  readonly misses: number
  readonly errors: number
  readonly total_requests: number
  readonly hit_rate: number
  readonly types: Stats['types']
  readonly tiers: readonly TierStats[]
  readonly near: Stats['near']
  readonly miss_reasons: Stats['missReasons']
  readonly load: Stats['load']
  readonly loads: number
  readonly load_errors: number
  readonly sets: number
  readonly deletes: number
  readonly fleet?: FleetView
}

/** `GET api/cache/health` (viewer). */
export interface HealthAnswer
  extends Pick<
    Status,
    'state' | 'reason' | 'since' | 'backend' | 'why' | 'tiers' | 'outbox' | 'processes' | 'staleBound'
  > {
  readonly judged?: HealthView
  readonly alerts?: AlertsView
}

/** One type over a stretch of time, all processes together where there is a monitor. */
export interface TypeView {
  readonly type: string
  readonly policy: PolicyView
  readonly reads: number
  /** Fresh ones. */
  readonly hits: number
  readonly stale: number
  readonly misses: number
  /** Hits and stale hits in a hundred reads; absent below 200 reads, of which nothing can be said. */
  readonly hitRate?: number
  readonly missReasons: Readonly<Record<MissReason, number>>
  readonly loads: number
  readonly loadErrors: number
  readonly errors: number
  /** Milliseconds within which 95 of a hundred loads were done, as far as the buckets tell; absent without loads. */
  readonly loadP95?: number
  /** Milliseconds of a load on average; absent without loads. */
  readonly loadMean?: number
  /** How old entries were at a hit: `counts[i]` below `AGE_BOUNDS[i]` and not below the bound before. */
  readonly ages: readonly number[]
}

/** `GET api/cache/types` (viewer): the last hour, or as much of it as was watched. Without a monitor: this process since it began. */
export interface TypesAnswer {
  readonly from: number
  readonly to: number
  /** `process`: there is no monitor. */
  readonly of: 'fleet' | 'process'
  /** Milliseconds: the upper ends of `ages`, the last one open. */
  readonly ageBounds: readonly number[]
  readonly types: readonly TypeView[]
}

/** `GET api/cache/snapshot?since=` (viewer), where nothing happened since. */
export interface UnchangedAnswer {
  readonly next: string
  readonly unchanged: true
}

/** `GET api/cache/snapshot?since=` (viewer): what is so now. Made at most every two seconds, whoever asks. */
export interface SnapshotAnswer {
  /** Pass it as `since`. */
  readonly next: string
  readonly unchanged?: undefined
  readonly at: number
  readonly stats: StatsAnswer
  readonly health: HealthAnswer
  readonly trace: Status['trace']
  /** All with a monitor only. */
  readonly fleet?: FleetView
  readonly judged?: HealthView
  readonly alerts?: AlertsView
  /** Those after `since`, oldest first. */
  readonly events?: readonly TimelineEvent[]
  /** What is being used up, as it was looked at last. */
  readonly budgets?: readonly Budget[]
}

/** `GET api/cache/history?range=minutes|hours|days&type=` (viewer). 501 without a monitor. */
export type HistoryAnswer = HistoryView

/** `GET api/cache/keys?type=&pattern=&after=&limit=` (viewer). */
export type KeysAnswer = KeyPage

/** `GET api/cache/explain/{key}?type=&subject=` (viewer). No route gives the value of an entry. */
export type ExplainAnswer = Explanation

/** `POST api/cache/preview` with `{ "target": … }` (operator). Of a type: its entries and bytes. */
export type PreviewAnswer = Preview
export interface PreviewRequest {
  readonly target: ClearTarget
}

/** All clears (operator; of everything: admin). 200, or 202 where the backend has yet to take it. */
export interface ClearedAnswer extends Cleared {
  /** Counted before; absent when that took longer than a second. */
  readonly entries?: number
  readonly exact?: boolean
}

/** `POST api/cache/keys/clear` with up to 200 keys (operator), all or none. Entries of a role or a user need their subject, which no list tells. */
export interface ClearKeysRequest {
  readonly keys: readonly { readonly type: string; readonly key: string; readonly subject?: string }[]
}
export interface ClearKeysAnswer {
  /** The least that can be said of all. */
  readonly receipt: Receipt
  /** How many were asked for, whether or not there was an entry. */
  readonly entries: number
}

/** `POST api/cache/undo` with `{ "token": … }` (operator). 409 `not-restored` where it cannot be. */
export type UndoAnswer = Undone

/** `POST api/cache/warm` with `{ "type"?: … }` (operator). */
export interface WarmAnswer {
  readonly warmed: readonly { readonly name: string; readonly ok: boolean; readonly ms: number; readonly id?: string }[]
}

/** A setting and where it comes from. None of them can be changed while the process runs. */
export interface ShownSetting extends Setting<string> {
  /** What must be changed for another value: the code, or the variable where the process is started. False: nothing was said, it is the default. */
  readonly locked: 'code' | 'environment' | false
}

/** `GET api/cache/config` (viewer); `PUT` (admin) answers the same. */
export interface ConfigAnswer {
  readonly namespace: string
  readonly enabled: boolean
  readonly backend: Status['backend']
  readonly why: string
  readonly settings: Readonly<Record<string, ShownSetting>>
  readonly types: Readonly<Record<string, PolicyView>>
}
/** `PUT api/cache/config`: all of them or none. Null: what the code says. */
export interface ConfigRequest {
  readonly types: Readonly<Record<string, { readonly ttl?: string | number; readonly grace?: string | number } | null>>
}

/** `POST api/cache/policy-preview` with `{ "type": …, "ttl": … }` (operator): what another ttl would do, reckoned from how old entries were at their hits. */
export interface PolicyPreviewAnswer {
  readonly type: string
  readonly ttl: { readonly now: number; readonly planned: number }
  /** What it is reckoned from. */
  readonly from: number
  readonly to: number
  readonly reads: number
  readonly of: 'fleet' | 'process'
  /** `few-reads`: below 200. `few-loads`: below 5 misses and loads, so nothing ran out that could tell. */
  readonly unknown?: 'few-reads' | 'few-loads'
  /** In a hundred reads. About: as if reads went on as they did. Absent when `unknown`. */
  readonly hitRate?: { readonly now: number; readonly planned: number }
  /** Absent when `unknown`. */
  readonly loads?: { readonly now: number; readonly planned: number }
  /** An entry served fresh may be so old then. */
  readonly oldest: number
}

/** `GET api/cache/audit?after=` (viewer). */
export type AuditAnswer = AuditPage

/** One run, as it is kept. */
export interface TestRun extends Probed {
  readonly mode: 'simple' | 'advanced'
  readonly at: number
  readonly by: { readonly role: Role; readonly name?: string }
}
/** `POST api/cache/test` with `{ "mode": "simple" | "advanced" }` (operator). 409 `busy` while one runs. */
export interface TestAnswer extends TestRun {
  /** The last run of the same mode on the same backend. */
  readonly previous?: TestRun
  /** False: it could not be kept, because the backend did not take it. */
  readonly kept: boolean
}
/** `GET api/cache/tests` (viewer): newest first, the last 20. */
export interface TestsAnswer {
  readonly runs: readonly TestRun[]
}

/** Somebody knows, and says why nothing is done about it. It is shown; whoever is told of alerts is told as before. */
export interface Acknowledgement {
  readonly signature: string
  readonly reason: string
  readonly by: { readonly role: Role; readonly name?: string }
  readonly at: number
  readonly until: number
}

/** `GET api/cache/alerts` (viewer). 501 without a monitor. */
export interface AlertsAnswer {
  /** None: alerts are switched off. */
  readonly rules: readonly AlertRule[]
  readonly active: readonly (Alert & { readonly acknowledged?: Acknowledgement })[]
  /** What is over, newest first. */
  readonly recent: readonly Alert[]
  /** When it was looked last: nothing is noticed between two looks. Absent before the first. */
  readonly lookedAt?: number
  /** Where alerts go. */
  readonly channels: readonly Delivered['channel'][]
  readonly acknowledgements: readonly Acknowledgement[]
}

/** `POST api/cache/alerts/test` with no fields (admin): sends one that says it is a test. */
export interface AlertTestAnswer {
  readonly sent: readonly Delivered[]
}

/** `POST api/cache/alerts/acknowledge` (operator). `for`: `"4h"` and the like, at most 30 days; null takes it back. */
export interface AcknowledgeRequest {
  readonly signature: string
  readonly reason?: string
  readonly for: string | number | null
}
export interface AcknowledgeAnswer {
  readonly acknowledgements: readonly Acknowledgement[]
}

/** `POST api/cache/try-now` with no fields (operator): asks the backend that should be in use, unless it is. */
export interface TryNowAnswer {
  /** In use now, or being told what it missed. */
  readonly reached: boolean
  readonly health: HealthAnswer
}

/** `GET api/cache/retention` (viewer): what is kept about the cache, and what that takes. */
export interface RetentionAnswer {
  /** Absent without a monitor. In the directory a document is a file. */
  readonly history?: readonly HistoryKept[]
  readonly audit: { readonly entries: number; readonly keep: number }
  readonly tests: { readonly runs: number }
  readonly undo: { readonly keep: number }
}

/** `GET api/cache/report` (viewer): for a ticket; with `?format=text` the same as a text. No key, no value, no password, no address of a person. */
export interface ReportAnswer {
  /** Eight characters, to quote. */
  readonly id: string
  readonly at: number
  readonly versions: { readonly palier: string; readonly node: string; readonly platform: string }
  readonly config: ConfigAnswer
  readonly health: HealthAnswer
  readonly trace: Status['trace']
  readonly processes: readonly {
    readonly name: string
    readonly version: string
    readonly config: string
    readonly state: HealthState
    readonly reason: string
    readonly backend: string
    readonly since: number
    readonly rss?: number
  }[]
  readonly types: TypesAnswer
  readonly tiers: readonly TierStats[]
  readonly alerts?: AlertsView
  readonly tests: readonly TestRun[]
}
