import { hash } from 'node:crypto'
import { createInterface } from 'node:readline'
import { PalierError } from '../../src/errors.ts'
import { decodeRecord } from '../../src/record.ts'
import { type FileEvent, type FileStoreOptions, fileStore } from '../../src/stores/file/store.ts'
import { fileRecord, textOf } from './file-store.ts'

/*
 * A process that does to a file store what it is told. `file-act-worker.ts DIR [sync|async] [OPTIONS as JSON]` prints `ready`; each line it reads is
 * commands separated by `;`, each answered by a line: a value, `absent`, `true`, `false`, `done`, or the code of an error.
 *
 *   get K · set K TEXT [FILLER [TTL]] · delete K · claim K TOKEN [TTL] · steal K TOKEN · commit K TOKEN TEXT · release K TOKEN
 *   crowd COUNT (sets so many entries of one shard at once) · sweep · faults (the faults told since the last time, as `operation:fault`, by commas)
 */
const [dir = '', io = 'sync', options = '{}'] = process.argv.slice(2)
const LONG = 600_000
let told: string[] = []

const store = fileStore({
  ...(JSON.parse(options) as Pick<FileStoreOptions, 'evict' | 'durable'>),
  dir,
  io: io === 'async' ? 'async' : 'sync',
  onEvent(event: FileEvent) {
    if (event.kind === 'fault') told.push(`${event.operation}:${event.fault}`)
  },
})

/** Keys whose entries lie in the same directory as that of `k`. */
function crowd(count: number): string[] {
  const shardOf = (key: string): string => hash('sha256', key, 'hex').slice(0, 2)
  const keys: string[] = []
  for (let i = 0; keys.length < count; i++) if (shardOf(`c${i}`) === shardOf('k')) keys.push(`c${i}`)
  return keys
}

async function act(words: readonly string[]): Promise<string | boolean | void> {
  const [verb = '', key = '', second = '', third = '', fourth = ''] = words
  switch (verb) {
    case 'get': {
      const found = await store.get(key)
      const record = found && decodeRecord(found.bytes)
      return record === undefined ? 'absent' : textOf(record.payload)
    }
    case 'set':
      return store.set(key, fileRecord(key, second, Number(third)), fourth === '' ? LONG : Number(fourth))
    case 'delete':
      return store.delete([key])
    case 'claim':
      return (await store.claim(key, { token: second, ttl: third === '' ? LONG : Number(third) })).granted
    case 'steal':
      return (await store.claim(key, { token: second, ttl: LONG, steal: true })).granted
    case 'commit':
      return store.commit(key, second, fileRecord(key, third), LONG)
    case 'release':
      return store.release(key, second)
    case 'crowd':
      return void (await Promise.all(crowd(Number(key)).map(name => store.set(name, fileRecord(name, 'x'), LONG))))
    case 'sweep':
      return void (await store.sweep?.())
    case 'faults': {
      const all = told.join(',')
      told = []
      return all
    }
    default:
      throw new Error(`no such command: ${verb}`)
  }
}

async function answer(command: string): Promise<string> {
  try {
    return String((await act(command.trim().split(' '))) ?? 'done')
  } catch (error) {
    return error instanceof PalierError ? error.code : String(error)
  }
}

process.stdout.write('ready\n')
createInterface({ input: process.stdin }).on('line', line => {
  const run = async (): Promise<void> => {
    for (const command of line.split(';')) process.stdout.write(`${await answer(command)}\n`)
  }
  void run()
})
