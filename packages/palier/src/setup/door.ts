import type { Clock } from '../clock.ts'
import type {
  ApplyInput,
  ApplyResult,
  DeclaredType,
  Fact,
  Language,
  MeasureInput,
  MeasureResult,
  PlannedType,
  ProofResult,
  ProposalInput,
  ProposalResult,
  RedisInput,
  RedisResult,
  Review,
  Sentence,
  ServerInput,
  ServerResult,
  StepId,
  StorageInput,
  StorageResult,
  TypesInput,
  TypesResult,
} from './contract.ts'

export interface StepInputs {
  readonly server: ServerInput
  readonly storage: StorageInput
  readonly redis: RedisInput
  readonly measure: MeasureInput
  readonly proposal: ProposalInput
  readonly types: TypesInput
  readonly apply: ApplyInput
  readonly proof: Readonly<Record<never, never>>
}

export interface StepResults {
  readonly server: ServerResult
  readonly storage: StorageResult
  readonly redis: RedisResult
  readonly measure: MeasureResult
  readonly proposal: ProposalResult
  readonly types: TypesResult
  readonly apply: ApplyResult
  readonly proof: ProofResult
}

export interface Progress {
  readonly step: StepId
  /** 0 to 1. */
  readonly share: number
  readonly text: Sentence
  /** Milliseconds that are left, where that can be said. */
  readonly left?: number
  /** A row that is ready before the step is. */
  readonly fact?: Fact
}

export interface RunOptions {
  readonly signal?: AbortSignal
  onProgress?(progress: Progress): void
}

export type StepStatus = 'open' | 'done' | 'skipped' | 'stale'

export interface SetupState {
  /** The installation is over: only `reopen` on the machine opens it again. */
  readonly finished: boolean
  /** `stale`: an earlier step was made again since. */
  readonly steps: Readonly<Record<StepId, StepStatus>>
  /** The first step that is not done or skipped; `proof` at the end. */
  readonly next: StepId
  readonly results: Partial<StepResults>
  /** A change that waits to be kept. */
  readonly pending: { readonly revertAt: number } | undefined
  readonly language: Language | undefined
  /** A step that runs now, in this process or another. */
  readonly running: StepId | undefined
}

export type Unlocking =
  | { readonly ok: true }
  /** `wrong`: not the token. `slow`: more than 5 tries in a minute; again after `retryIn` ms. `finished`: closed for good. */
  | {
      readonly ok: false
      readonly why: 'wrong' | 'slow' | 'finished'
      readonly text: Sentence
      readonly retryIn?: number
    }

export interface Report {
  /** Short name to quote to whoever helps: `7f3a-19c2`. */
  readonly id: string
  /** Plain text in one language. */
  readonly text: string
  /** The same for programs. */
  readonly json: Readonly<Record<string, unknown>>
}

/** What the application gives to be set up. */
export interface SetupOptions {
  /** Directory of the application: `.palier/setup.json`, `.palier/setup-token` and a lock live in it. */
  readonly directory: string
  /** Default `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** The file of environment lines that is written, 0600. Default `<directory>/.env`. */
  readonly file?: string
  /** The types that the application declares. */
  readonly types?: readonly DeclaredType[]
  /** Live processes of the application, and the PALIER_SETTINGS each runs with. */
  processes?(): Promise<readonly { readonly id: string; readonly settings: string | undefined }[]>
  /** A directory that the web server serves, if the application knows. */
  readonly webRoot?: string
  /** The address of the site, `https://example.org`, where the application knows it. */
  readonly baseUrl?: string
  /** Boots the application with these settings in a probe of its own; rejects or says `ok: false` to refuse them. */
  prove?(
    settings: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<{ readonly ok: boolean; readonly why?: string }>
  /** Told after the settings file is in place (and again after a revert, with `undefined` types): policies of types go here. */
  apply?(change: {
    readonly settings: Readonly<Record<string, string>>
    readonly types: readonly PlannedType[] | undefined
    readonly files: { readonly maxFiles: number; readonly maxBytes: number } | undefined
  }): Promise<void>
  /** One real, cacheable request of the application, the same each time, and the clearing of what it caches. */
  readonly live?: {
    request(signal: AbortSignal): Promise<{ readonly status: number; readonly headers: Headers }>
    clear(): Promise<void>
  }
  /** A loader of the application: what one miss costs without a cache. */
  load?(signal: AbortSignal): Promise<unknown>
  /** Milliseconds within which the live site answers 95 of 100 requests now; measuring stops when it doubles. */
  sitePace?(): number | undefined
  /** Restarts the application. Default: touches `tmp/restart.txt` under Passenger, else asks for a restart by hand. */
  restart?(): Promise<void>
  /** Where the line with the token goes. Default: nowhere. */
  log?(line: string): void
  /** The built `setup/child.js` of this package, for an application that is bundled. Default: found beside the engine. */
  readonly child?: string
  readonly clock?: Clock
}

/**
 * An installation. Any process may go on where another stopped; one step runs at a time over all of them. A wrong input
 * rejects with PALIER_BAD_OPTION, which names the field; a step that another process runs with PALIER_LOCKED; anything
 * after `finish` with PALIER_CLOSED. What cannot be checked is a row of the result, never an error.
 */
export interface Setup {
  /** Makes the token if there is none, takes back an overdue change, removes what an earlier run left. Call it once at start. */
  open(): Promise<SetupState>
  /** The token is in this file, 0600. */
  readonly tokenFile: string
  /** Once right, the token is used up; the door keeps its own session afterwards. A new one is made at `open`. */
  unlock(token: string): Promise<Unlocking>
  state(): Promise<SetupState>
  setLanguage(language: Language): Promise<void>
  /** Runs a step and saves its result. Aborting leaves nothing behind and changes nothing that was saved. */
  run<S extends StepId>(step: S, input: StepInputs[S], options?: RunOptions): Promise<StepResults[S]>
  /** Saves the safe default of a step, without asking anything of the machine beyond what is known. */
  skip(step: StepId): Promise<SetupState>
  /** Detect, test and propose in one go: server, storage, redis, measure, proposal, types. */
  fast(options?: RunOptions): Promise<ProposalResult>
  /** What `apply` would do. */
  review(): Promise<Review>
  /** Keeps the change that waits. Rejects with PALIER_CLOSED when it was taken back before. */
  keep(): Promise<ApplyResult>
  /** Takes the change back now. */
  revert(): Promise<ApplyResult>
  report(language: Language): Promise<Report>
  /** Closes the installation for good. Refused while a change waits to be kept. */
  finish(): Promise<void>
  /** On the machine only (`palier init --reopen`): opens a finished installation again, with a new token. */
  reopen(): Promise<void>
  /** Stops timers. A pending change is then reverted by whichever process opens the setup next, once overdue. */
  close(): Promise<void>
}
