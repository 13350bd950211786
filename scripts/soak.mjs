// node scripts/soak.mjs --minutes 30: one process uses a cache without a pause while Redis is killed, frozen, cut off
// and flapping behind its back. At the end its heap, handles, files and listeners must be where they were at the
// beginning, no read may have given what was deleted, and the process must end by itself once the cache is closed.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { columns, endWith, ensureReady, redisServer, temporaryDirectory } from './redis.mjs'

const WORKERS = 4
const KEYS = 20_000
const GROUPS = 50
const EXIT_BUDGET_MS = 5000
/** A deletion is remembered for a minute and the rule of a pattern for five, so a process is not at rest before. */
const WARM_UP_MS = 330_000

/** What may grow from the first quarter of the samples to the last, by medians. */
const MEASURES = [
  { name: 'heap after gc, MiB', of: one => one.heap / 2 ** 20, factor: 1.1, plus: 1 },
  { name: 'buffers, MiB', of: one => one.buffers / 2 ** 20, factor: 1.1, plus: 1 },
  { name: 'open files and sockets', of: one => one.files, factor: 1, plus: 2 },
  { name: 'sockets', of: one => one.resources.TCPSocketWrap ?? 0, factor: 1, plus: 2 },
  { name: 'timers that keep it alive', of: one => one.resources.Timeout ?? 0, factor: 1, plus: 2 },
  { name: 'all active resources', of: one => total(one.resources), factor: 1, plus: 4 },
  { name: 'listeners on process', of: one => one.listeners, factor: 1, plus: 0 },
  { name: 'deletions waiting', of: one => one.pending, factor: 1, plus: 0 },
]

const total = counts => Object.values(counts).reduce((sum, count) => sum + count, 0)

// ---- the process that is soaked

/** Uses the cache for ever; every value carries the versions of its key and of its group, so that old ones are known. */
function createChurn(cache) {
  const counts = { operations: 0, rejected: 0, stale: 0 }
  const failures = new Set()
  /** The version that the source has, and the one before which everything was deleted. */
  const versions = { key: new Uint32Array(KEYS), group: new Uint32Array(GROUPS) }
  const deleted = { key: new Uint32Array(KEYS), group: new Uint32Array(GROUPS) }
  const pick = n => Math.floor(Math.random() * n)
  const made = n => ({ key: versions.key[n], group: versions.group[n % GROUPS], body: `${n};`.repeat(1 + (n % 100)) })
  const nameOf = n => `entry:${n}`
  const policyOf = n => ({ tags: [`group:${n % GROUPS}`] })
  const floorOf = n => ({ key: deleted.key[n], group: deleted.group[n % GROUPS] })
  const check = (value, floor) => {
    if (value !== undefined && (value.key < floor.key || value.group < floor.group)) counts.stale++
  }
  const forget = async (kind, n, act) => {
    const version = ++versions[kind][n]
    await act()
    deleted[kind][n] = Math.max(deleted[kind][n], version)
  }
  const verbs = [
    [
      75,
      async n => {
        const floor = floorOf(n)
        check(await cache.getOrSet(nameOf(n), async () => made(n), policyOf(n)), floor)
      },
    ],
    [
      8,
      async n => {
        const some = [n, (n + 7) % KEYS, (n + 77) % KEYS]
        const floors = some.map(floorOf)
        const values = await cache.getMany(some.map(nameOf))
        for (const [i, floor] of floors.entries()) check(values[i], floor)
      },
    ],
    [6, n => cache.set(nameOf(n), made(n), policyOf(n))],
    [8, n => forget('key', n, () => cache.delete(nameOf(n)))],
    [2, n => forget('group', n % GROUPS, () => cache.deleteByTag(`group:${n % GROUPS}`))],
    // Each of these walks over all keys behind the scenes.
    [0.02, n => cache.deleteByPattern(`*entry:${n}`)],
    [0.5, n => cache.type('product').getOrSet(nameOf(n), async () => n)],
    [0.02, () => cache.deleteByType('product')],
  ]
  const whole = verbs.reduce((sum, [weight]) => sum + weight, 0)
  const choose = () => {
    let at = Math.random() * whole
    return verbs.find(([weight]) => (at -= weight) < 0)?.[1] ?? verbs[0][1]
  }
  let stopped = false
  const work = async () => {
    while (!stopped) {
      try {
        await choose()(pick(KEYS))
      } catch (error) {
        counts.rejected++
        if (failures.size < 5) failures.add(String(error))
      }
      counts.operations++
      await pause(4)
    }
  }
  const running = Promise.all(Array.from({ length: WORKERS }, work))
  return {
    counts: () => ({ ...counts, failures: [...failures] }),
    async stop() {
      stopped = true
      await running
    },
  }
}

async function beSoaked({ redisUrl, dir }) {
  const { createCache } = await import('palier')
  const small = {
    memory: { maxEntries: 4000, maxBytes: 8 * 2 ** 20 },
    files: { maxFiles: 2000, maxBytes: 32 * 2 ** 20 },
  }
  const open = namespace => createCache({ namespace, redisUrl, dir, logger: false, ...small })
  const cache = open('soak')
  await cache.ready()
  const churn = createChurn(cache)
  /** Makes a cache, uses it and closes it: that must leave nothing behind either, whatever Redis does. */
  const visit = async () => {
    const visitor = open('visitor')
    await visitor.getOrSet('key', async () => 1)
    await visitor.delete('key')
    await visitor.close()
  }
  const sample = async () => {
    for (let i = 0; i < 3; i++) {
      globalThis.gc()
      await pause(20)
    }
    const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage()
    const resources = {}
    for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1
    const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)
    const { state, outbox } = cache.status()
    const files = process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0
    const buffers = external + arrayBuffers
    return { heap: heapUsed, buffers, rss, resources, listeners, files, state, pending: outbox.pending }
  }
  const close = async () => {
    await churn.stop()
    await cache.close()
  }
  const verbs = { sample, visit, close, counts: async () => churn.counts(), state: async () => cache.status().state }
  // Whoever asks is gone before the end: nobody is left to stop this.
  const orphaned = () => process.exit(1)
  process.once('disconnect', orphaned)
  const answer = async ({ id, verb }) => {
    if (verb === 'close') process.off('disconnect', orphaned)
    process.send({ id, result: await verbs[verb]() })
    // From here on nothing may keep the process alive.
    if (verb === 'close') process.disconnect()
  }
  // A failure ends the process, which is what is to be seen.
  process.on('message', asked => void answer(asked))
  process.send({ id: 0 })
}

// ---- the process that takes Redis away

function startSoaked(task) {
  const child = fork(fileURLToPath(import.meta.url), ['--soaked', JSON.stringify(task)], {
    execArgv: ['--expose-gc', '--unhandled-rejections=strict', '--trace-warnings'],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  let complaints = ''
  child.stderr.on('data', data => {
    complaints += data
    process.stderr.write(data)
  })
  const kill = () => child.kill('SIGKILL')
  endWith(child)
  const waiting = new Map()
  let end
  const exited = once(child, 'exit').then(([code, signal]) => {
    end = signal ?? code
    for (const { reject } of waiting.values()) reject(new Error(`the process ended (${end})`))
    return { end, at: performance.now() }
  })
  child.on('message', ({ id, result }) => {
    waiting.get(id)?.resolve(result)
    waiting.delete(id)
  })
  const expect = id =>
    new Promise((resolve, reject) => {
      if (end !== undefined) reject(new Error(`the process ended (${end})`))
      waiting.set(id, { resolve, reject })
    })
  let next = 1
  return {
    ready: expect(0),
    exited,
    kill,
    /** Warnings of Node and whatever else was printed: a quiet process prints nothing. */
    complaints: () => complaints.trim(),
    ask(verb) {
      const id = next++
      const reply = expect(id)
      if (end === undefined) child.send({ id, verb })
      return reply
    },
  }
}

/** A door in front of Redis that can be shut: connections are reset, new ones refused. */
async function startDoor(target) {
  const pairs = new Set()
  const server = createServer(near => {
    const far = connect(target, '127.0.0.1')
    const pair = [near, far]
    pairs.add(pair)
    for (const [one, other] of [pair, [far, near]]) {
      one.setNoDelay(true)
      one.on('error', () => {})
      one.on('data', data => other.write(data))
      one.on('close', () => {
        other.destroy()
        pairs.delete(pair)
      })
    }
  })
  const listen = async port => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  await listen(0)
  const { port } = server.address()
  const shut = async () => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const [near, far] of pairs) {
      // A reset of a socket that is shutting down fails in libuv and leaves a handle that Node cannot clean up at exit.
      if (near.writableEnded) near.destroy()
      else near.resetAndDestroy()
      far.destroy()
    }
    await closed
  }
  return { port, shut, open: () => listen(port), stop: shut }
}

/** One way after the other; each ends with Redis as it was. */
function faultsOf(redis, door) {
  const cut = async ms => {
    await door.shut()
    await pause(ms)
    await door.open()
  }
  return [
    [
      'killed',
      async () => {
        await redis.kill()
        await pause(1500)
        await redis.start()
      },
    ],
    [
      'frozen',
      async () => {
        redis.freeze()
        await pause(1500)
        redis.thaw()
      },
    ],
    ['cut off', () => cut(1500)],
    [
      'flapping',
      async () => {
        for (let i = 0; i < 6; i++) {
          await cut(150)
          await pause(150)
        }
      },
    ],
  ]
}

const median = values => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
const text = value => (Number.isInteger(value) ? String(value) : value.toFixed(1))

function judge(samples) {
  const quarter = Math.max(1, samples.length >> 2)
  const [first, last] = [samples.slice(0, quarter), samples.slice(-quarter)]
  return MEASURES.map(({ name, of, factor, plus }) => {
    const [before, after] = [median(first.map(of)), median(last.map(of))]
    const most = before * factor + plus
    return { name, before, after, most, peak: Math.max(...samples.map(of)), flat: after <= most }
  })
}

async function healthy(soaked) {
  const until = performance.now() + 15_000
  while ((await soaked.ask('state')) !== 'HEALTHY') {
    if (performance.now() > until) return false
    await pause(50)
  }
  return true
}

/** Fault after fault until the time is over, with a sample at the end of each quiet moment. */
async function soak(soaked, faults, ms) {
  const startedAt = performance.now()
  const samples = []
  const problems = []
  let told = startedAt
  for (let turn = 0; performance.now() < startedAt + ms; turn++) {
    const [name, act] = faults[turn % faults.length]
    const visiting = soaked.ask('visit')
    await act()
    await visiting
    if (!(await healthy(soaked))) problems.push(`not HEALTHY 15 s after Redis was ${name}`)
    await pause(1000)
    const sample = await soaked.ask('sample')
    samples.push({ ...sample, at: performance.now() - startedAt })
    if (performance.now() < told + 30_000) continue
    told = performance.now()
    const { operations, rejected, stale } = await soaked.ask('counts')
    const minutes = ((told - startedAt) / 60_000).toFixed(1)
    const heap = (sample.heap / 2 ** 20).toFixed(1)
    console.log(`${minutes} min: ${operations} operations, ${rejected} rejected, ${stale} stale, heap ${heap} MiB`)
  }
  return { samples, problems }
}

async function closes(soaked) {
  await soaked.ask('close')
  const closedAt = performance.now()
  const late = new AbortController()
  const ended = await Promise.race([soaked.exited, pause(EXIT_BUDGET_MS, undefined, { signal: late.signal })])
  late.abort()
  if (ended === undefined) {
    soaked.kill()
    return `the process was still there ${EXIT_BUDGET_MS / 1000} s after close()`
  }
  console.log(`\nended by itself ${(ended.at - closedAt).toFixed(0)} ms after close(), exit code ${ended.end}`)
  return ended.end === 0 ? undefined : `the process ended with ${ended.end}`
}

async function main() {
  const { values } = parseArgs({ options: { minutes: { type: 'string', default: '5' } } })
  const minutes = Number(values.minutes)
  if (!(minutes > 0)) {
    console.error(`--minutes: expected a number above 0, received ${values.minutes}`)
    process.exit(2)
  }
  await ensureReady('packages/palier')
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))
  const dir = temporaryDirectory('palier-soak-')
  const redis = await redisServer()
  await redis.start()
  const door = await startDoor(redis.port)
  const soaked = startSoaked({ redisUrl: `redis://127.0.0.1:${door.port}`, dir })
  await soaked.ready
  console.log(`${minutes} minutes; Redis is killed, frozen, cut off and flapping in turn`)
  const { samples, problems } = await soak(soaked, faultsOf(redis, door), minutes * 60_000)
  const { operations, rejected, stale, failures } = await soaked.ask('counts')
  if (rejected > 0) problems.push(`${rejected} operations rejected: ${failures.join('; ')}`)
  if (stale > 0) problems.push(`${stale} reads gave what had been deleted`)
  const warm = Math.min(WARM_UP_MS, minutes * 12_000)
  const rows = judge(samples.filter(({ at }) => at >= warm))
  const unrest = await closes(soaked)
  if (unrest !== undefined) problems.push(unrest)
  if (soaked.complaints() !== '') problems.push(`it printed: ${soaked.complaints().split('\n')[0]}`)
  await door.stop()
  await redis.stop()
  const cells = rows.map(({ name, before, after, most, peak, flat }) => [
    name,
    ...[before, after, most, peak].map(text),
    flat ? 'yes' : 'NO',
  ])
  console.log(`\n${operations} operations over ${samples.length} faults, ${rejected} rejected, ${stale} stale reads\n`)
  console.log(columns(['', 'first quarter', 'last quarter', 'at most', 'peak', 'flat'], cells))
  for (const { name, flat } of rows) if (!flat) problems.push(`${name} grew`)
  for (const problem of problems) console.error(`FAILED ${problem}`)
  process.exitCode = problems.length === 0 ? 0 : 1
}

if (process.send !== undefined && process.argv[2] === '--soaked') await beSoaked(JSON.parse(process.argv[3]))
else await main()
