import { appendFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileStore } from '../../src/stores/file/store.ts'
import { redisStore } from '../../src/stores/redis/store.ts'

/*
 * A process that takes locks and limits. `guard-worker.ts PLACE LOG` prints `ready`; PLACE is a directory or a URL. Each
 * line on its input is a command, and each answer a line.
 */
const [place = '', log = ''] = process.argv.slice(2)
const LONG = 600_000
const me = String(process.pid)
/** The smallest directory there may be: its logs of limits are ended often. */
const SMALL = 1024 * 1024
const store = place.startsWith('redis:')
  ? redisStore({ url: place, deadline: 5_000 })
  : fileStore({ dir: place, maxBytes: SMALL })
const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
const say = (text: string): void => void process.stdout.write(`${text}\n`)
let churning = false
let fault = ''

/** One line, one write: the lines of all processes have one order. */
const note = (line: string): void => appendFileSync(log, `${line}\n`)

async function churn(): Promise<void> {
  while (churning) {
    const fence = await store.locks.acquire('lock', me, LONG)
    if (fence === undefined) {
      await pause(Math.random() * 3)
      continue
    }
    note(`granted ${fence} ${me}`)
    for (let i = 0; i < 3; i++) {
      await pause(Math.random() * 2)
      if (Math.random() < 0.5 && !(await store.locks.renew('lock', me, LONG))) note(`lost ${fence} ${me}`)
      note(`holds ${fence} ${me}`)
    }
    if (!(await store.locks.release('lock', me))) note(`lost ${fence} ${me}`)
  }
}

async function answer(command: string, name: string, number: string): Promise<string> {
  switch (command) {
    case 'take': {
      const rate = { limit: Number(number), window: LONG }
      const taken = await Promise.all(Array.from({ length: 50 }, () => store.limits.take(name, rate, 1)))
      return String(taken.filter(({ allowed }) => allowed).length)
    }
    case 'count': {
      const told = await Promise.all(Array.from({ length: 50 }, () => store.limits.count(name, LONG, 1)))
      return told.map(({ count }) => count).join(',')
    }
    case 'acquire':
      return String((await store.locks.acquire(name, me, Number(number))) ?? '-')
    case 'release':
      return String(await store.locks.release(name, me))
    case 'churn':
      churning = true
      churn().catch((error: unknown) => {
        fault = String(error)
      })
      return 'churning'
    case 'stop':
      churning = false
      return fault === '' ? 'stopped' : fault
    default:
      return `unknown command ${command}`
  }
}

const connected = async (): Promise<void> => {
  for (;;) {
    try {
      return void (await store.get('-'))
    } catch {
      await pause(10)
    }
  }
}

await connected()
say('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const [command = '', name = '', number = ''] = line.split(' ')
  say(await answer(command, name, number).catch(String))
}
await store.close()
