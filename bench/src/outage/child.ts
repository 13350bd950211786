import { CONTESTANTS, type Session } from './contestants.ts'
import { type Call, LIMIT_MS, type Reply, type Request, type Requests, type Task, type Verb } from './protocol.ts'
import { pause } from './server.ts'

/*
 * One contestant in a process of its own. It does what the parent asks over IPC, answers each request by its number,
 * and notes what it saw. A call that never ends is noted as such and never waited for.
 */

const { contestant: name, place } = JSON.parse(process.argv[2] ?? '{}') as Task
const contestant = CONTESTANTS.find(one => one.name === name)
let session: Session | undefined
let version = 1
let loads = 0
let poking: NodeJS.Timeout | undefined

async function source(): Promise<string> {
  loads++
  return `v${version}`
}

function current(): Session {
  if (session === undefined) throw new Error('not open')
  return session
}

async function timed(action: () => Promise<string>): Promise<Call> {
  const at = Date.now()
  const startedAt = performance.now()
  const call = (end: Call['end'], value?: string): Call => ({
    at,
    ms: performance.now() - startedAt,
    end,
    ...(value !== undefined && { value }),
  })
  let timer: NodeJS.Timeout | undefined
  const hung = new Promise<Call>(resolve => {
    timer = setTimeout(() => resolve(call('hung')), LIMIT_MS)
  })
  const ended = action().then(
    value => call('answered', value),
    (error: unknown) => call('rejected', error instanceof Error ? error.message : String(error)),
  )
  return Promise.race([ended, hung]).finally(() => clearTimeout(timer))
}

async function controlled(afterMs: number): Promise<number> {
  await pause(afterMs)
  const startedAt = performance.now()
  await current().control()
  return performance.now() - startedAt
}

/** Starts `action` every so often until the time is over; the calls when all have ended or hang. */
async function repeat(everyMs: number, forMs: number, action: (turn: number) => Promise<Call>[]): Promise<Call[]> {
  const calls: Promise<Call>[] = []
  const until = performance.now() + forMs
  for (let turn = 0; performance.now() < until; turn++) {
    calls.push(...action(turn))
    await pause(everyMs)
  }
  return Promise.all(calls)
}

const verbs: { readonly [V in Verb]: (task: Requests[V]['task']) => Promise<Requests[V]['result']> } = {
  open: async () =>
    timed(async () => {
      if (contestant === undefined) throw new Error(`no contestant is called ${name}`)
      session = await contestant.open(place)
      return session.read(`first-${process.pid}`, source)
    }),
  async seed(keys) {
    const before = loads
    const values: string[] = []
    for (const key of keys) values.push(await current().read(key, source))
    return { loads: loads - before, values }
  },
  async version(next) {
    version = next
    return null
  },
  calls: ({ prefix, everyMs, forMs }) =>
    repeat(everyMs, forMs, turn => [
      Promise.all([timed(() => current().read(`${prefix}-${turn}`, source)), controlled(everyMs / 2)]).then(
        ([call, control]) => ({ ...call, control }),
      ),
    ]),
  reads: ({ keys, everyMs, forMs }) =>
    repeat(everyMs, forMs, () => keys.map(key => timed(() => current().read(key, source)))),
  forget: keys => Promise.all(keys.map(key => timed(() => current().forget(key)))),
  async poke({ prefix, everyMs }) {
    let turn = 0
    poking = setInterval(() => {
      if (session !== undefined) void timed(() => current().read(`${prefix}-${turn++}`, source))
    }, everyMs)
    return null
  },
  async enough() {
    clearInterval(poking)
    return null
  },
  state: async () => current().state(),
}

async function answer({ id, verb, task }: Request): Promise<void> {
  const run = verbs[verb] as (task: unknown) => Promise<unknown>
  const reply = await run(task).then(
    result => ({ id, result }),
    (error: unknown) => ({ id, error: error instanceof Error ? error.message : String(error) }),
  )
  process.send?.(reply satisfies Reply)
}

process.on('message', request => void answer(request as Request))
// The parent is gone: so is the reason to run, whatever the contestant keeps open.
process.on('disconnect', () => process.exit())
process.send?.({ id: 0 } satisfies Reply)
