import { createHash, randomBytes } from 'node:crypto'
import { chown, mkdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { badOption, PalierError } from '../errors.ts'
import { messageOf } from '../link.ts'
import type { ApplyInput, ApplyResult, Review, Sentence } from './contract.ts'
import { readLines, withValues } from './env-file.ts'
import { readIfThere, replaceFile, whyNotWritable } from './files.ts'
import { withLock } from './lock.ts'
import { type Room, sentence } from './room.ts'
import { bootSettings, diffOf, overridden, SETTINGS_ID, snippetsOf, type Values, wantedOf } from './settings.ts'
import type { Pending, Saved } from './state.ts'

/*
 * The settings file is replaced by a rename after a probe has booted what will be in it, and the change is written down
 * before: whichever process comes next takes it back once nobody kept it in time.
 */

const hash = (text: string): string => createHash('sha256').update(text).digest('hex')

const nextOf = (file: string): string => `${file}.palier-next`
const previousOf = (file: string): string => `${file}.palier-previous`

const LOCK = { lasts: 60_000, wait: 20_000 }
const REVERT_AFTER = { least: 10_000, most: 600_000, usual: 60_000 }
const PROCESSES_WITHIN = 30_000

const exclusively = <T>({ state }: Pick<Room, 'state'>, work: () => Promise<T>): Promise<T> =>
  withLock(join(state.dir, 'settings.lock'), 'changing the settings', LOCK, work)

const isPassenger = ({ environment, saved }: Room): boolean => {
  const shape = saved.results.server?.shape
  return shape === 'cpanel' || shape === 'litespeed' || environment['IN_PASSENGER'] !== undefined
}

function restartText(room: Room): Sentence {
  if (room.options.restart !== undefined) return sentence('apply.restart.host')
  return isPassenger(room) ? sentence('apply.restart.passenger', { seconds: 10 }) : sentence('apply.restart.hand')
}

/** What `apply` would do. Rejects with PALIER_CLOSED when nothing was chosen. */
export async function reviewChange(room: Room): Promise<Review> {
  const { file } = room
  const wanted = wantedOf(room)
  const errno = await whyNotWritable(file)
  const before = errno === undefined ? ((await readIfThere(file)) ?? '') : ''
  const above = overridden(room, before, wanted.values)
  const why: Sentence | undefined =
    errno !== undefined
      ? sentence('apply.readOnly', { file, errno })
      : above.length > 0
        ? sentence('apply.overridden', { names: above.join(', ') })
        : undefined
  const after = withValues(before, wanted.values)
  const inForce = readLines(before)
  return {
    file,
    writable: why === undefined,
    why,
    diff: diffOf(before, after, wanted.values),
    touched: [
      { path: file, mode: '0600', what: sentence('apply.touched.file') },
      { path: previousOf(file), mode: '0600', what: sentence('apply.touched.previous') },
      ...(isPassenger(room) && room.options.restart === undefined
        ? [{ path: join(room.directory, 'tmp', 'restart.txt'), mode: '0644', what: sentence('apply.touched.restart') }]
        : []),
    ],
    restart: restartText(room),
    snippets: snippetsOf(room, wanted),
    same: Object.entries(wanted.values).every(([name, value]) => inForce[name] === value),
  }
}

async function restart(room: Room): Promise<void> {
  if (room.options.restart !== undefined) return room.options.restart()
  if (!isPassenger(room)) return
  const path = join(room.directory, 'tmp', 'restart.txt')
  await mkdir(join(room.directory, 'tmp'), { recursive: true })
  await writeFile(path, '')
  const now = new Date()
  await utimes(path, now, now)
}

/** Waits until all processes that are seen run with the new settings; Passenger restarts them at a request only. */
async function countProcesses(room: Room, id: string): Promise<ApplyResult['processes']> {
  const { options, signal } = room
  if (options.processes === undefined) return undefined
  const end = performance.now() + PROCESSES_WITHIN
  for (;;) {
    const all = await options.processes().catch(() => [])
    const ready = all.filter(one => one.settings === id).length
    room.tell(0.9, sentence('apply.processes', { ready, all: all.length }), {
      left: Math.max(0, Math.round(end - performance.now())),
    })
    if ((ready === all.length && ready > 0) || performance.now() > end || signal.aborted)
      return { ready, all: all.length }
    await options.live?.request(signal).catch(() => undefined)
    await new Promise(resolve => setTimeout(resolve, 250))
  }
}

const outcome = (phase: ApplyResult['phase'], text: Sentence, more: Partial<ApplyResult> = {}): ApplyResult => ({
  phase,
  text,
  settings: undefined,
  revertAt: undefined,
  processes: undefined,
  advice: undefined,
  ...more,
})

/** What is in force is what was wanted, whoever wrote it. */
function checkByHand(room: Room, values: Values): ApplyResult {
  const missing = Object.keys(values).filter(name => room.environment[name] !== values[name])
  if (missing.length === 0) return outcome('by hand', sentence('apply.byHand.good'))
  return outcome('refused', sentence('apply.byHand.missing', { names: missing.join(', ') }))
}

async function boots(room: Room, values: Values): Promise<string | undefined> {
  const { prove } = room.options
  const own = await bootSettings(room.environment, values)
  if (!own.ok) return own.why ?? 'no reason given'
  if (prove === undefined) return undefined
  try {
    const { ok, why } = await prove(values, room.signal)
    return ok ? undefined : (why ?? 'no reason given')
  } catch (error) {
    room.signal.throwIfAborted()
    return messageOf(error)
  }
}

interface Change {
  readonly before: string | undefined
  readonly after: string
  readonly pending: Pending
}

/** Root must not take the settings away from the account that runs the application. */
async function handOver(path: string, file: string): Promise<void> {
  if (process.geteuid?.() !== 0) return
  const owner = await stat(file).catch(() => stat(dirname(file)))
  await chown(path, owner.uid, owner.gid)
}

/** Writes the change down before making it. */
async function commit({ file, state }: Room, { before, after, pending }: Change): Promise<void> {
  await replaceFile(nextOf(file), after)
  await handOver(nextOf(file), file)
  if (before === undefined) await rm(previousOf(file), { force: true })
  else {
    await replaceFile(previousOf(file), before)
    await handOver(previousOf(file), file)
  }
  await state.update(saved => {
    if (saved.pending !== undefined)
      throw new PalierError('PALIER_LOCKED', 'a change waits to be kept or taken back already')
    return { ...saved, pending }
  })
  await rename(nextOf(file), file)
}

export async function applyChange(
  room: Room,
  { revertAfter = REVERT_AFTER.usual, byHand = false }: ApplyInput,
): Promise<ApplyResult> {
  const { least, most } = REVERT_AFTER
  if (!Number.isSafeInteger(revertAfter) || revertAfter < least || revertAfter > most) {
    throw badOption('revertAfter', `milliseconds from ${least} to ${most}`, revertAfter)
  }
  const { values } = wantedOf(room)
  if (byHand) return checkByHand(room, values)
  const review = await reviewChange(room)
  if (review.why !== undefined) return outcome('refused', review.why, { advice: sentence('apply.copy') })
  room.tell(0.1, sentence('apply.booting'))
  const why = await boots(room, values)
  if (why !== undefined) return outcome('refused', sentence('apply.bootFailed', { why: why.slice(0, 300) }))
  room.signal.throwIfAborted()
  const id = randomBytes(6).toString('hex')
  // Whoever is killed while processes restart leaves a change that is taken back all the same.
  const latest = room.clock.wall() + PROCESSES_WITHIN + revertAfter
  const refused = await exclusively(room, () => write(room, values, id, latest))
  if (refused !== undefined) return refused
  // Not under the lock: a process that was restarted by this may be asked to keep the change before this one has seen it.
  const processes = await countProcesses(room, id)
  const revertAt = room.clock.wall() + revertAfter
  return exclusively(room, async () => {
    const { pending, results } = await room.state.read()
    if (pending?.settings !== id) return results.apply ?? outcome('reverted', sentence('apply.reverted'))
    if (room.signal.aborted) {
      await takeBack(room, pending)
      room.signal.throwIfAborted()
    }
    await room.state.update(saved => ({ ...saved, pending: { ...pending, revertAt } }))
    const advice = room.options.restart === undefined && !isPassenger(room) ? sentence('apply.restart.hand') : undefined
    const text = sentence('apply.waiting', { seconds: Math.round(revertAfter / 1000) })
    return outcome('waiting to be kept', text, { settings: id, revertAt, processes, advice })
  })
}

/** Under the lock of the settings. Undefined: it is in place; otherwise why it was taken back. */
async function write(room: Room, values: Values, id: string, revertAt: number): Promise<ApplyResult | undefined> {
  const settings = { ...values, [SETTINGS_ID]: id }
  const before = await readIfThere(room.file)
  const after = withValues(before ?? '', settings)
  const pending: Pending = {
    revertAt,
    settings: id,
    applied: hash(after),
    before: before === undefined ? undefined : hash(before),
  }
  await commit(room, { before, after, pending })
  room.tell(0.5, sentence('apply.written', { file: room.file }))
  try {
    await tellHost(room, settings, true)
    await restart(room)
    return undefined
  } catch (error) {
    await takeBack(room, pending)
    return outcome('refused', sentence('apply.hostFailed', { why: messageOf(error).slice(0, 300) }))
  }
}

async function tellHost({ options, saved }: Room, settings: Values, isNew: boolean): Promise<void> {
  const { types, storage } = saved.results
  await options.apply?.({
    settings,
    types: isNew ? types?.types : undefined,
    files:
      isNew && storage?.usable === true
        ? { maxFiles: storage.budget.files, maxBytes: storage.budget.bytes }
        : undefined,
  })
}

const settled = (saved: Saved, result: ApplyResult, steps: Saved['steps']): Saved => {
  const { pending: _pending, ...rest } = saved
  return { ...rest, steps, results: { ...saved.results, apply: result } }
}

/** The file as it was; one that somebody changed meanwhile is left alone. */
async function restore(file: string, pending: Pending): Promise<'restored' | 'untouched' | 'changed'> {
  await rm(nextOf(file), { force: true })
  const now = await readIfThere(file)
  const state = now === undefined ? undefined : hash(now)
  if (state === pending.before) return 'untouched'
  if (state !== pending.applied) return 'changed'
  if (pending.before === undefined) await rm(file, { force: true })
  else await rename(previousOf(file), file)
  return 'restored'
}

/** Under the lock of the settings. */
async function takeBack(room: Room, pending: Pending): Promise<ApplyResult> {
  const how = await restore(room.file, pending)
  const result = outcome('reverted', sentence(how === 'changed' ? 'apply.reverted.changed' : 'apply.reverted'))
  await room.state.update(saved => {
    const { apply: _apply, ...steps } = saved.steps
    return settled(saved, result, steps)
  })
  if (how === 'restored') {
    await tellHost(room, readLines((await readIfThere(room.file)) ?? ''), false)
    await restart(room)
  }
  return result
}

/** Takes the pending change back. Rejects with PALIER_CLOSED when none waits. */
export function revertChange(room: Room): Promise<ApplyResult> {
  return exclusively(room, async () => {
    const { pending } = await room.state.read()
    if (pending === undefined)
      throw new PalierError('PALIER_CLOSED', 'no change waits to be kept: it was kept or taken back before')
    return takeBack(room, pending)
  })
}

/** Takes an overdue change back, if there is one; several processes may try at once. */
export function revertIfOverdue(room: Room): Promise<void> {
  return exclusively(room, async () => {
    const { pending } = await room.state.read()
    if (pending !== undefined && pending.revertAt <= room.clock.wall()) await takeBack(room, pending)
  })
}

/** Keeps the pending change. Rejects with PALIER_CLOSED when it was taken back before. */
export function keepChange(room: Room): Promise<ApplyResult> {
  return exclusively(room, async () => {
    const { pending } = await room.state.read()
    if (pending === undefined || pending.revertAt <= room.clock.wall()) {
      throw new PalierError('PALIER_CLOSED', 'no change waits to be kept: it was taken back, or never made')
    }
    const result = outcome('kept', sentence('apply.kept', { file: room.file }), { settings: pending.settings })
    await room.state.update(saved => {
      const kept = settled(saved, result, { ...saved.steps, apply: 'done' })
      // Passwords are in the settings file now; nowhere else any longer.
      return { ...kept, addresses: [] }
    })
    return result
  })
}
