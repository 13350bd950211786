import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { DISK_BUDGET, type DiskFacts, judgeDisk, readDisk } from '../advice/disk.ts'
import type { Finding } from '../advice/finding.ts'
import { judgeRedis, readRedis, type RedisFacts } from '../advice/redis.ts'
import { systemClock } from '../clock.ts'
import { redisOptions } from '../create.ts'
import { type Backend, type Candidate, type Detection, detect, type TraceStep } from '../detect.ts'
import { messageOf } from '../link.ts'
import { fileStore } from '../stores/file/store.ts'
import { memoryStore } from '../stores/memory.ts'
import { redisStore } from '../stores/redis/store.ts'
import { awake, candidates, closeQuietly, passedOver, type Place, refusedByName, whereabouts } from './backend.ts'
import { renderDoctor } from './doctor-text.ts'
import {
  compare,
  type Measurement,
  measure,
  OPERATIONS,
  type Operation,
  RECORD_BYTES,
  type Subject,
  timingOf,
} from '../advice/measure.ts'
import type { Job, Outcome } from './run.ts'
import { shownConfiguration, type ShownSetting } from './secrets.ts'

/** A step of the search; those behind the chosen one were `not needed`. */
export interface ShownStep extends Omit<TraceStep, 'outcome'> {
  readonly outcome: TraceStep['outcome'] | 'not needed'
}

export interface Comparison {
  readonly operation: Operation
  readonly stores: readonly [string, string]
  /** Undefined: no measurable difference. */
  readonly faster: string | undefined
  readonly times: number | undefined
}

/** All that `doctor` found out; what is not there could not be asked. */
export interface Diagnosis {
  readonly found: Detection
  readonly where: string
  readonly refused: string | undefined
  readonly trace: readonly ShownStep[]
  readonly namespace: string
  readonly configuration: readonly ShownSetting[]
  readonly measurements: readonly Measurement[]
  readonly comparisons: readonly Comparison[]
  readonly redis: RedisFacts | undefined
  readonly disk: DiskFacts | undefined
  readonly findings: readonly Finding[]
  readonly healthy: boolean
}

/** Longer than the cache's own 250 ms, so that a slow Redis is measured and not merely refused. */
const REDIS_DEADLINE = 1000
const CACHE_DEADLINE_MICROS = 250_000

/** The search itself, without opening what it finds: a store of the application's own would write into its directory. */
function search(place: Place): Promise<Detection> {
  const looked = candidates(place).map((one): Candidate => ({ ...one, open: () => undefined }))
  return detect(looked, place.settings.backend.value, systemClock, place.budget)
}

function wholeTrace(found: Detection, all: readonly Candidate[]): readonly ShownStep[] {
  const known = new Set(found.trace.map(step => step.backend))
  const rest = all.filter(one => !known.has(one.backend))
  const why = `${found.backend} was chosen`
  return [...found.trace, ...rest.map(({ backend }): ShownStep => ({ backend, outcome: 'not needed', why, ms: 0 }))]
}

/** Whether a backend can be measured: known from the search, or asked now. */
async function usable(backend: Backend, found: Detection, place: Place): Promise<boolean> {
  const step = found.trace.find(one => one.backend === backend)
  if (step?.outcome === 'chosen') return true
  if (step?.outcome === 'refused') return false
  const candidate = candidates(place).find(one => one.backend === backend)
  const probe = await candidate?.probe(place.budget).catch(() => undefined)
  return probe?.ok === true
}

/** The topmost directory that making `dir` would make; undefined when it is there. */
async function firstMissing(dir: string): Promise<string | undefined> {
  let missing: string | undefined
  for (let path = dir; ; path = dirname(path)) {
    const there = await stat(path).then(
      () => true,
      () => false,
    )
    if (there || path === dirname(path)) return missing
    missing = path
  }
}

/** Takes away the empty directories that looking made, from `dir` up to `top`. */
async function removeMade(dir: string, top: string | undefined): Promise<void> {
  if (top === undefined) return
  for (let path = dir; path.length >= top.length; path = dirname(path)) {
    try {
      await rmdir(path)
    } catch {
      // Somebody uses it by now, or it never came to be: either way it is not ours to take.
      return
    }
  }
}

interface Opened {
  readonly subjects: readonly Subject[]
  readonly failures: readonly Measurement[]
  close(): Promise<void>
}

/** Stores of its own for everything that can be used: own connections, and an own directory inside the cache's. */
async function openStores(found: Detection, place: Place): Promise<Opened> {
  const subjects: Subject[] = [{ name: 'memory', store: memoryStore() }]
  const failures: Measurement[] = []
  let own: string | undefined
  if (await usable('filesystem', found, place)) {
    try {
      own = await mkdtemp(join(resolve(place.settings.dir.value), `palier-doctor-${randomBytes(4).toString('hex')}-`))
      subjects.push({ name: 'filesystem', store: fileStore({ dir: own }) })
    } catch (error) {
      failures.push({ name: 'filesystem', samples: { get: [], set: [], delete: [] }, failure: messageOf(error) })
    }
  }
  if (await usable('redis', found, place)) {
    const options = redisOptions(place.options, place.settings)
    const store = redisStore({ ...options, deadline: REDIS_DEADLINE })
    subjects.push({ name: 'redis', store })
    await awake(store, place.budget)
  }
  return {
    subjects,
    failures,
    async close() {
      for (const { store } of subjects) await closeQuietly(store)
      if (own !== undefined) await rm(own, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}

async function measureAll(found: Detection, place: Place, signal: AbortSignal): Promise<readonly Measurement[]> {
  const dir = resolve(place.settings.dir.value)
  const { subjects, failures, close } = await openStores(found, place)
  try {
    return [...(await measure(subjects, signal)), ...failures]
  } finally {
    await close().catch((error: unknown) => {
      throw new Error(`the measurement left something behind in ${dir}: ${messageOf(error)}`, { cause: error })
    })
  }
}

/** The shared stores against each other: memory is no choice where several processes run. */
function comparisonsOf(measurements: readonly Measurement[]): readonly Comparison[] {
  const [files, redis] = ['filesystem', 'redis'].map(name =>
    measurements.find(one => one.name === name && one.failure === undefined),
  )
  if (files === undefined || redis === undefined) return []
  return OPERATIONS.map(operation => {
    const result = compare(files.samples[operation], redis.samples[operation])
    const faster = result === undefined ? undefined : result.faster === 'a' ? files.name : redis.name
    return { operation, stores: [files.name, redis.name], faster, times: result?.times }
  })
}

function speedFindings(measurements: readonly Measurement[]): readonly Finding[] {
  return measurements.flatMap(({ name, samples }) => {
    const p95 = timingOf(samples.get)?.p95Micros ?? 0
    if (name !== 'redis' || p95 < CACHE_DEADLINE_MICROS) return []
    const text = `One read of ${name} in twenty takes longer than the 250 ms after which the cache gives up.`
    return [
      {
        level: 'warning',
        about: 'speed',
        text,
        advice: 'Bring the server nearer, or raise the option deadline.',
      } as const,
    ]
  })
}

function configurationFindings(place: Place, found: Detection): readonly Finding[] {
  const findings: Finding[] = []
  const over = passedOver(place, found)
  const step = found.trace.find(one => one.backend === 'redis' && one.outcome === 'refused')
  if (over !== undefined && !found.fellBack) {
    findings.push({
      level: 'warning',
      about: 'configuration',
      text: `${over}.`,
      advice: `${step?.hint ?? 'See the search above'}.`,
    })
  }
  if (!place.settings.enabled.value) {
    const text = 'The cache is disabled: each read goes to the source.'
    findings.push({ level: 'note', about: 'configuration', text, advice: 'Set CACHE_ENABLED=true to use it.' })
  }
  return findings
}

async function diagnose({ place, given, terminal }: Job): Promise<Diagnosis> {
  const dir = resolve(place.settings.dir.value)
  const made = await firstMissing(dir)
  try {
    const found = await search(place)
    const measurements = await measureAll(found, place, terminal.signal)
    terminal.signal.throwIfAborted()
    const has = (name: string): boolean => measurements.some(one => one.name === name)
    const redis = has('redis')
      ? await readRedis(redisOptions(place.options, place.settings)).catch(() => undefined)
      : undefined
    const disk =
      has('filesystem') || found.backend === 'filesystem' ? await readDisk(dir).catch(() => undefined) : undefined
    const refused = refusedByName(found)
    return {
      found,
      where: whereabouts(found.backend, place),
      refused,
      trace: wholeTrace(found, candidates(place)),
      namespace: given.namespace ?? 'default',
      configuration: shownConfiguration(place.settings),
      measurements,
      comparisons: comparisonsOf(measurements),
      redis,
      disk,
      findings: [
        ...configurationFindings(place, found),
        ...(redis === undefined ? [] : judgeRedis(redis)),
        ...(disk === undefined ? [] : judgeDisk(disk, DISK_BUDGET)),
        ...speedFindings(measurements),
      ],
      healthy: refused === undefined && measurements.every(one => one.failure === undefined),
    }
  } finally {
    await removeMade(dir, made)
  }
}

function reportOf(diagnosis: Diagnosis): Outcome['report'] {
  const { found, where, refused, trace, namespace, configuration, measurements, redis, disk, findings, healthy } =
    diagnosis
  const orNull = <T>(value: T | undefined): T | null => value ?? null
  return {
    healthy,
    backend: found.backend,
    where,
    refused: orNull(refused),
    trace: trace.map(({ backend, outcome, why, hint, ms }) => ({ backend, outcome, why, hint: orNull(hint), ms })),
    namespace,
    configuration: Object.fromEntries(configuration.map(({ name, value, source }) => [name, { value, source }])),
    recordBytes: RECORD_BYTES,
    stores: measurements.map(({ name, samples, failure }) => ({
      name,
      ok: failure === undefined,
      failure: orNull(failure),
      rounds: samples.delete.length,
      ...Object.fromEntries(OPERATIONS.map(operation => [operation, orNull(timingOf(samples[operation]))])),
    })),
    comparisons: diagnosis.comparisons.map(({ operation, stores, faster, times }) => ({
      operation,
      stores,
      measurable: faster !== undefined,
      faster: orNull(faster),
      times: orNull(times),
    })),
    redis:
      redis === undefined
        ? null
        : Object.fromEntries(Object.entries(redis).map(([name, value]) => [name, value ?? null])),
    files:
      disk === undefined
        ? null
        : Object.fromEntries(Object.entries(disk).map(([name, value]) => [name, value ?? null])),
    findings,
  }
}

/** Finds the backend as the application does, measures what can be opened, and says what is wrong. */
export async function doctor(job: Job): Promise<Outcome> {
  const diagnosis = await diagnose(job)
  return {
    exitCode: diagnosis.healthy ? 0 : 1,
    report: reportOf(diagnosis),
    lines: paint => renderDoctor(diagnosis, paint),
  }
}
