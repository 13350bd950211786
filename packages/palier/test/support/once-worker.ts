import { appendFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { type CacheOptions, createCache } from '../../src/index.ts'

/*
 * A process that runs jobs once and changes documents. `once-worker.ts OPTIONS LOG SKEW` prints `ready`; its wall clock is wrong by SKEW
 * milliseconds. Each line on its input is a command, and each answer a line. A run writes its fence, its occurrence and
 * its process into LOG, in one write, so the lines of all processes have one order.
 */
const [options = '{}', log = '', skew = '0'] = process.argv.slice(2)
const wall = Date.now
Date.now = () => wall() + Number(skew)
const cache = createCache({ logger: false, ...(JSON.parse(options) as CacheOptions) })
const say = (text: string): void => void process.stdout.write(`${text}\n`)
const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

async function answer(command: string, name: string, from: number, count: number): Promise<string> {
  switch (command) {
    // Every occurrence in turn; answers with what became of them.
    case 'run': {
      const ends: string[] = []
      for (let at = from; at < from + count; at++) {
        const done = await cache.once(
          name,
          at,
          async ({ fence, occurrence }) => {
            appendFileSync(log, `${fence} ${occurrence} ${process.pid}\n`)
            await pause(Math.random() * 3)
          },
          { wait: '30s' },
        )
        ends.push(done.ran ? 'ran' : done.reason)
      }
      return ends.join(',')
    }
    // Begins a run that does not end; the lock of the job lives for a second without this process.
    case 'hold':
      return new Promise(resolve => {
        const run = (): Promise<never> => new Promise(() => resolve('holding'))
        cache.once(name, from, run, { ttl: '1s' }).then(({ ran }) => resolve(String(ran)), String)
      })
    // Changes a document and is stopped in between: it has the lease, and decides.
    case 'freeze': {
      const now = await cache.documents<string>('notes').change(name, () => {
        process.kill(process.pid, 'SIGSTOP')
        return { value: 'late', ttl: 3_600_000 }
      })
      return String(now?.value)
    }
    default:
      return `unknown command ${command}`
  }
}

await cache.ready()
say('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const [command = '', name = '', from = '0', count = '1'] = line.split(' ')
  say(await answer(command, name, Number(from), Number(count)).catch(String))
}
await cache.close()
