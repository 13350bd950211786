import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { encodeRecord } from '../../src/record.ts'
import { type FileEvent, type FileStoreOptions, fileStore } from '../../src/stores/file/store.ts'
import type { SharedStore } from '../../src/store.ts'
import { compiled } from './compiled.ts'

/**
 * A fresh directory under the temporary one, and what removes it. The temporary one may be in memory, where a directory
 * has no blocks: for what is measured in blocks it has to be on a disk.
 */
export function freshDir(place: 'anywhere' | 'disk' = 'anywhere'): { readonly dir: string; remove(): void } {
  const parent = place === 'disk' ? (process.env['DISK_TMPDIR'] ?? tmpdir()) : tmpdir()
  const dir = mkdtempSync(join(parent, 'palier-file-'))
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) }
}

export interface Watched {
  readonly store: SharedStore
  readonly events: FileEvent[]
}

/** A store whose events are kept. */
export function watchedStore(options: Omit<FileStoreOptions, 'onEvent'>): Watched {
  const events: FileEvent[] = []
  return { store: fileStore({ ...options, onEvent: event => void events.push(event) }), events }
}

/** A record of `key`; `filler` bytes of payload begin with `text` and a NUL. */
export function fileRecord(key: string, text: string, filler: number = 0): Buffer {
  const payload = Buffer.alloc(Math.max(filler, Buffer.byteLength(text) + 1), '.')
  payload.write(`${text}\0`)
  const head = {
    key,
    createdAt: Date.now(),
    ttl: 1,
    grace: 0,
    cost: 0,
    mark: 0,
    form: 0,
    size: payload.length,
    stamps: [],
  }
  return encodeRecord(head, payload)
}

/** The text of a record made by `fileRecord`. */
export function textOf(payload: Uint8Array): string {
  const text = Buffer.from(payload).toString('utf8')
  return text.slice(0, text.indexOf('\0'))
}

/** Paths, relative to `dir`, of everything below it that is not a directory, and of the directories with a slash. */
export function tree(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap(item => {
    const below = item.isDirectory() ? tree(join(dir, item.name)).map(name => `${item.name}/${name}`) : []
    return [item.isDirectory() ? `${item.name}/` : item.name, ...below]
  })
}

/** Disk usage in bytes as `du` sees it. */
export function diskUsage(dir: string): number {
  // Files that vanish under it make it complain, and go on.
  return Number(spawnSync('du', ['-s', '-B1', dir], { encoding: 'utf8' }).stdout.split('\t')[0])
}

export interface Worker {
  readonly pid: number
  /** Sends a line and resolves with the answer to it; answers come in order. */
  ask(line: string): Promise<string>
  /** The next line it prints by itself or as an answer. */
  next(): Promise<string>
  kill(): Promise<void>
  end(): Promise<void>
}

/** A process of its own running `script` of this directory; it is up when this resolves (it prints `ready`). */
export async function startWorker(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Worker> {
  const file = await compiled(new URL(script, import.meta.url))
  const child = spawn(process.execPath, [file, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const { pid } = child
  if (pid === undefined) throw new Error('the worker did not start')
  // Whoever asks one that was killed is told by the end of its output.
  child.stdin.on('error', () => undefined)
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error(`${script} ended`)
    return value
  }
  const worker: Worker = {
    pid,
    next,
    ask(line) {
      child.stdin.write(`${line}\n`)
      return next()
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
    async end() {
      child.stdin.end()
      await exited
    },
  }
  const first = await next()
  if (first !== 'ready') throw new Error(`${script} said ${first}`)
  return worker
}
