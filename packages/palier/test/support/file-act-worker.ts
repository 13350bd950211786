import { createInterface } from 'node:readline'
import { PalierError } from '../../src/errors.ts'
import { decodeRecord } from '../../src/record.ts'
import { type FileEvent, type FileStoreOptions, fileStore } from '../../src/stores/file/store.ts'
import { fileRecord, textOf } from './file-store.ts'

/*
 * A process that does to a file store what it is told. `file-act-worker.ts DIR [sync|async] [OPTIONS as JSON]` prints `ready`; each line it reads is
 * commands separated by `;`, each answered by a line: a value, `absent`, `true`, `false`, `done`, or the code of an error.
 *
 *   get K · set K TEXT [FILLER] · delete K · claim K TOKEN [TTL] · steal K TOKEN · commit K TOKEN TEXT · release K TOKEN
 *   sweep · faults (the faults told since the last time, as `operation:fault`, by commas)
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

async function act(words: readonly string[]): Promise<string | boolean | void> {
  const [verb = '', key = '', second = '', third = ''] = words
  switch (verb) {
    case 'get': {
      const found = await store.get(key)
      const record = found && decodeRecord(found.bytes)
      return record === undefined ? 'absent' : textOf(record.payload)
    }
    case 'set':
      return store.set(key, fileRecord(key, second, Number(third)), LONG)
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
