import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { sep } from 'node:path'
import { isSharedMachine } from '../advice/advise.ts'
import { webRootOf } from '../advice/disk.ts'
import { bytesText } from '../advice/words.ts'
import type { Fact, Sentence, ServerInput, ServerResult, Shape } from './contract.ts'
import { errnoOf, whyNotWritable } from './files.ts'
import { threadRoom } from './processes.ts'
import { type Environment, fact, type Room, sentence } from './room.ts'

interface Looks {
  readonly environment: Environment
  readonly program: string
  isThere(path: string): boolean
}

/** What tells a shape, surest first; each gives its evidence or nothing. */
const SIGNS: readonly (readonly [Shape, (looks: Looks) => readonly (string | undefined)[]])[] = [
  ['kubernetes', ({ environment: e }) => [named(e, 'KUBERNETES_SERVICE_HOST')]],
  [
    'litespeed',
    ({ environment: e, program }) => [
      named(e, 'LSNODE_ROOT'),
      named(e, 'LSNODE_STARTUP_FILE'),
      program.includes('lsnode') ? program : undefined,
    ],
  ],
  [
    'cpanel',
    ({ environment: e, program }) => [
      named(e, 'IN_PASSENGER'),
      named(e, 'PASSENGER_APP_ENV'),
      Object.hasOwn(globalThis, 'PhusionPassenger') ? 'PhusionPassenger' : undefined,
      /\/nodevenv\//.test(program) ? program : undefined,
    ],
  ],
  [
    'container',
    ({ environment: e, isThere }) => [
      isThere('/.dockerenv') ? '/.dockerenv' : undefined,
      isThere('/run/.containerenv') ? '/run/.containerenv' : undefined,
      named(e, 'container'),
    ],
  ],
  ['pm2', ({ environment: e }) => [named(e, 'PM2_HOME'), named(e, 'pm_id')]],
  [
    'vps',
    ({ environment: e }) => [
      e['NODE_ENV'] === 'production' ? 'NODE_ENV=production' : undefined,
      named(e, 'INVOCATION_ID'),
    ],
  ],
]

function named(environment: Environment, name: string): string | undefined {
  const value = environment[name]
  if (value === undefined || value === '') return undefined
  return /^[\w./-]{1,60}$/.test(value) ? `${name}=${value}` : name
}

export function shapeOf(looks: Looks): { shape: Shape; evidence: readonly string[] } {
  for (const [shape, signs] of SIGNS) {
    const evidence = signs(looks).filter(one => one !== undefined)
    if (evidence.length > 0) return { shape, evidence }
  }
  return { shape: 'development', evidence: [] }
}

const cannot = (id: string, label: Fact['label']['key'], error: unknown): Fact =>
  fact(id, 'unknown', label, sentence('cannotCheck', { errno: errnoOf(error) }))

/** Bytes the control group lets this process use; the machine's where there is no limit. */
async function memoryCeiling(): Promise<{ bytes: number; from: string }> {
  for (const path of ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes']) {
    const text = await readFile(path, 'utf8').catch(() => 'max')
    const bytes = Number(text.trim())
    if (Number.isFinite(bytes) && bytes < totalmem()) return { bytes, from: path }
  }
  return { bytes: totalmem(), from: 'os.totalmem()' }
}

function nodeFact(): Fact {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const old = major < 20 || (major === 20 && minor < 19)
  const text = sentence(old ? 'server.node.old' : 'server.node.good', { version: process.version })
  return fact('node', old ? 'bad' : 'good', 'server.node', text, { evidence: process.execPath })
}

async function processesFact({ options }: Room): Promise<{ row: Fact; count: number | undefined }> {
  if (options.processes === undefined) {
    return {
      row: fact('processes', 'unknown', 'server.processes', sentence('server.processes.untold')),
      count: undefined,
    }
  }
  try {
    const count = (await options.processes()).length
    const text = sentence('server.processes.seen', { n: count })
    return { row: fact('processes', 'good', 'server.processes', text), count }
  } catch (error) {
    return { row: cannot('processes', 'server.processes', error), count: undefined }
  }
}

async function threadsFact(): Promise<Fact> {
  const { used, limit } = await threadRoom()
  if (limit === undefined) return fact('threads', 'good', 'server.threads', sentence('server.threads.free'))
  const tight = limit - (used ?? 0) < 33
  const text = sentence(tight ? 'server.threads.tight' : 'server.threads.room', { used: used ?? 0, limit })
  return fact('threads', tight ? 'warning' : 'good', 'server.threads', text, { evidence: 'RLIMIT_NPROC, pids.max' })
}

function exposureFact({ directory, options }: Room): Fact {
  const { webRoot } = options
  const inside =
    webRoot !== undefined && `${directory}${sep}`.startsWith(webRoot.endsWith(sep) ? webRoot : `${webRoot}${sep}`)
  const named = inside ? webRoot : webRootOf(directory)
  return named === undefined
    ? fact('exposure', 'good', 'server.exposure', sentence('server.exposure.none'), { evidence: directory })
    : fact('exposure', 'warning', 'server.exposure', sentence('server.exposure.under', { root: named }), {
        evidence: directory,
        advice: sentence('server.exposure.advice'),
      })
}

function environmentFacts({ environment, options }: Room): Fact[] {
  const mode = environment['NODE_ENV'] ?? ''
  const modeText: Sentence =
    mode === ''
      ? sentence('server.mode.unset')
      : sentence(mode === 'production' ? 'server.mode.production' : 'server.mode.other', { mode })
  const base = options.baseUrl ?? environment['PASSENGER_BASE_URI']
  return [
    fact('mode', mode === 'production' ? 'good' : 'note', 'server.mode', modeText, { evidence: 'NODE_ENV' }),
    base === undefined
      ? fact('base', 'unknown', 'server.base', sentence('server.base.unknown'))
      : fact('base', 'good', 'server.base', sentence('server.base.is', { url: base })),
  ]
}

async function fileFact({ file }: Room): Promise<{ row: Fact; writable: boolean }> {
  const errno = await whyNotWritable(file)
  const row =
    errno === undefined
      ? fact('file', 'good', 'server.file', sentence('server.file.writable', { file }))
      : fact('file', 'note', 'server.file', sentence('server.file.readOnly', { file, errno }), {
          advice: sentence('server.file.advice'),
        })
  return { row, writable: errno === undefined }
}

/** Looks at the machine without changing anything. Never rejects but for an abort. */
export async function lookAtServer(room: Room, input: ServerInput): Promise<ServerResult> {
  const facts: Fact[] = []
  const rows = 11
  const add = (row: Fact): void => {
    facts.push(row)
    room.tell(facts.length / rows, row.text, { fact: row })
    room.signal.throwIfAborted()
  }
  const looks: Looks = {
    environment: room.environment,
    program: `${process.execPath} ${process.argv[1] ?? ''}`,
    isThere: existsSync,
  }
  const found = shapeOf(looks)
  const chosen = input.shape ?? room.saved.shape
  const shape = chosen ?? found.shape
  const evidence = found.evidence
  add(
    fact('shape', 'good', 'server.shape', sentence(`shape.${shape}`), {
      evidence: evidence.length === 0 ? undefined : evidence.join(', '),
    }),
  )
  add(nodeFact())
  const { row: processes, count } = await processesFact(room)
  add(processes)
  const memory = await memoryCeiling()
  add(
    fact(
      'memory',
      memory.bytes < 256 * 2 ** 20 ? 'note' : 'good',
      'server.memory',
      sentence('server.memory.is', { size: bytesText(memory.bytes) }),
      {
        evidence: memory.from,
      },
    ),
  )
  add(await threadsFact())
  add(fact('cwd', 'good', 'server.cwd', sentence('server.cwd.is', { dir: room.directory })))
  add(exposureFact(room))
  for (const row of environmentFacts(room)) add(row)
  const shared = await isSharedMachine()
  add(
    fact(
      'shared',
      shared ? 'note' : 'good',
      'server.shared',
      sentence(shared ? 'server.shared.yes' : 'server.shared.no'),
    ),
  )
  const { row, writable } = await fileFact(room)
  add(row)
  return {
    shape,
    corrected: chosen !== undefined && chosen !== found.shape,
    evidence,
    facts,
    processes: count,
    memoryBytes: memory.bytes,
    fileWritable: writable,
    shared,
  }
}
