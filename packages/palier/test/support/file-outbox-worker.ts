import { createInterface } from 'node:readline'
import { openOutboxJournal } from '../../src/stores/file/outbox-journal.ts'

/*
 * A process with an outbox journal. `file-outbox-worker.ts DIR CHANNEL` prints `ready` and answers each line it reads with one
 * line of JSON: `append A B`, `clear`, `inherit`, `settle` (what was inherited last), `close`. `spam PREFIX N` appends
 * PREFIX:0, PREFIX:1 ... N at a time without end, and prints the number of each when it is safe.
 */
const [dir = '', channel = ''] = process.argv.slice(2)
const journal = openOutboxJournal({ dir, channel })
let settle: () => Promise<void> = async () => undefined

async function spam(prefix: string, lanes: number): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    for (;;) {
      const line = `${prefix}:${next++}`
      await journal.append([line])
      process.stdout.write(`${line}\n`)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

async function obey(line: string): Promise<unknown> {
  const [verb, ...rest] = line.split(' ')
  switch (verb) {
    case 'append':
      return journal.append(rest)
    case 'clear':
      return journal.clear()
    case 'inherit': {
      const legacy = await journal.inherit()
      settle = () => legacy.settle()
      return legacy.lines
    }
    case 'settle':
      return settle()
    case 'close':
      return journal.close()
    case 'spam':
      return spam(rest[0] ?? '', Number(rest[1]))
    default:
      throw new Error(`no such command: ${line}`)
  }
}

process.stdout.write('ready\n')
createInterface({ input: process.stdin }).on('line', line => {
  obey(line).then(
    answer => process.stdout.write(`${JSON.stringify(answer ?? 'done')}\n`),
    (error: unknown) => process.stdout.write(`${JSON.stringify(String(error))}\n`),
  )
})
