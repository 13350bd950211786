// node scripts/app-outage.mjs: the application of this repository on a bad day. Redis is killed, comes back, freezes, thaws; the
// disk of the cache fills up. All the time its dashboard is asked for over HTTP, contacts are added, and the next
// dashboard must have the exact number, which a second server without a cache reads from the same database.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { columns, endWith, ensureReady, redisServer, temporaryDirectory } from './redis.mjs'
import { root } from './run.mjs'

const ASK_EVERY_MS = 20
const ADD_EVERY_MS = 400
/** An answer that takes longer is no answer to whoever waits for a page. */
const SLOWEST_MS = 1000
const GIVE_UP_MS = 30_000
const DISK = '4m'
const START_MS = 60_000

const agent = new Agent({ keepAlive: true, maxSockets: 64 })

/** What a request carries of its own: an API key, once there is one. */
let credentials = {}

/** Status 0: no answer at all. */
function ask(base, path, body) {
  const startedAt = performance.now()
  const method = body === undefined ? 'GET' : 'POST'
  const headers = { ...credentials, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }
  return new Promise(resolve => {
    const done = (status, text) => resolve({ status, text, ms: performance.now() - startedAt })
    const sent = request(`${base}${path}`, { agent, method, headers, timeout: GIVE_UP_MS }, answer => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', chunk => (text += chunk))
      answer.on('end', () => done(answer.statusCode, text))
      answer.on('error', error => done(0, String(error)))
    })
    sent.on('timeout', () => sent.destroy(new Error(`no answer in ${GIVE_UP_MS / 1000} s`)))
    sent.on('error', error => done(0, String(error)))
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

const PASSWORD = 'a password for a bad day'

/**
 * An API key of the administrator. Keys are read through the cache, so whoever has one goes on in an outage; sessions are
 * an error meanwhile, because nobody may be taken for logged out.
 */
async function makeKey(base) {
  const send = (path, headers, body) =>
    fetch(base + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  const login = await send('/api/v1/auth/login', {}, { email: 'admin@example.org', password: PASSWORD })
  const cookie = login.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  const { csrf_token } = await (await send('/api/v1/auth/me', { cookie })).json()
  const scopes = ['dashboard:read', 'contacts:write', 'cache:view']
  const made = await send('/api/v1/api-keys', { cookie, 'x-csrf-token': csrf_token }, { name: 'visitor', scopes })
  if (made.status !== 201) throw new Error(`no API key: ${made.status} ${await made.text()}`)
  return (await made.json()).key
}

/** The server as `npm start` runs it, on any free port. */
async function startApp(env) {
  const child = spawn(
    process.execPath,
    ['--unhandled-rejections=strict', join(root, 'apps/campaigns/dist/server/main.js')],
    {
      env: { ...process.env, PORT: '0', LOG_LEVEL: 'error', SIMULATOR: 'off', ADMIN_PASSWORD: PASSWORD, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const kill = () => child.kill('SIGKILL')
  endWith(child)
  let output = ''
  const exited = once(child, 'exit').then(([code, signal]) => {
    return signal ?? code
  })
  const address = new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`the application does not start:\n${output}`)), START_MS)
    late.unref()
    child.stdout.on('data', data => {
      output += data
      const found = /^campaigns\s+(http:\S+)[\s\S]*^cache\s/m.exec(output)
      if (found !== null) resolve(found[1])
    })
    child.stderr.on('data', data => void (output += data))
    void exited.then(end => reject(new Error(`the application ended (${end}):\n${output}`)))
  })
  return {
    base: await address,
    alive: () => child.exitCode === null && child.signalCode === null,
    output: () => output,
    /** SIGTERM, and the exit code. */
    async stop() {
      child.kill('SIGTERM')
      const forced = setTimeout(kill, 10_000)
      const end = await exited
      clearTimeout(forced)
      return end
    },
  }
}

/** A disk of its own for the cache, small enough to be filled. Undefined, with the reason said, where that cannot be. */
function smallDisk(dir) {
  const refuse = why => {
    console.log(`full disk: not possible here: ${why}`)
    return undefined
  }
  if (process.platform !== 'linux') return refuse('it takes a tmpfs, which is a thing of Linux')
  if (process.getuid() !== 0) return refuse('a tmpfs can be mounted by root only')
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK},mode=700`, 'tmpfs', dir])
  if (status !== 0) return refuse(String(stderr).trim())
  const remove = () => {
    process.off('exit', remove)
    spawnSync('umount', ['-l', dir])
  }
  // Before the directory that it is mounted in goes.
  process.prependOnceListener('exit', remove)
  const junk = join(dir, 'junk')
  const left = () => statfsSync(dir).bavail
  return {
    /** Not a block is free afterwards. */
    fill() {
      const file = openSync(junk, 'w')
      try {
        for (;;) writeSync(file, Buffer.alloc(4096, 1))
      } catch (error) {
        if (error.code !== 'ENOSPC') throw error
      } finally {
        closeSync(file)
      }
      if (left() !== 0) throw new Error(`${left()} blocks are still free`)
    },
    empty: () => rmSync(junk),
    remove,
  }
}

const totalOf = ({ status, text }) => (status === 200 ? JSON.parse(text).contacts.total : undefined)

/** Asks all the time; adds contacts now and then and looks whether the very next dashboard knows. */
function createVisitor(app, exact) {
  let added = 0
  const asked = []
  const problems = []
  let counts = { added: 0, right: 0 }
  let stopped = false
  const under = new Set()
  const dashboards = async () => {
    while (!stopped) {
      // The next one is asked for whether this one is answered or not, as visitors do.
      const one = ask(app.base, '/api/v1/dashboard').then(answer => {
        under.delete(one)
        asked.push(answer)
      })
      under.add(one)
      await pause(ASK_EVERY_MS)
    }
    await Promise.all(under)
  }
  const addContact = async () => {
    const phone = `+49 151 ${String(10_000_000 + process.pid * 100 + added).slice(-8)}`
    const { status, text } = await ask(app.base, '/api/v1/contacts', { name: `Visitor ${++added}`, phone })
    const shown = totalOf(await ask(app.base, '/api/v1/dashboard'))
    const source = totalOf(await ask(exact.base, '/api/v1/dashboard'))
    counts.added++
    if (status !== 201) problems.push(`a contact was answered with ${status}: ${text.slice(0, 200)}`)
    else if (shown === source && source !== undefined) counts.right++
    else problems.push(`the dashboard shows ${shown} contacts, the database has ${source}`)
  }
  const contacts = async () => {
    while (!stopped) {
      await addContact()
      await pause(ADD_EVERY_MS)
    }
  }
  const running = [dashboards(), contacts()]
  return {
    problems,
    /** What has happened since the last time. */
    take() {
      const taken = { asked: asked.splice(0), ...counts, problems: problems.splice(0) }
      counts = { added: 0, right: 0 }
      return taken
    },
    async stop() {
      stopped = true
      await Promise.all(running)
    },
  }
}

const ms = value => (value === undefined ? '-' : `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`)

function phasesOf(redis, disk) {
  const killed = { name: 'Redis killed (kill -9)', seconds: 6, act: () => redis.kill(), redis: false }
  const back = { name: 'Redis back', seconds: 5, act: () => redis.start(), redis: true }
  const phases = [
    { name: 'all well', seconds: 3, act: async () => {}, redis: true },
    killed,
    back,
    { name: 'Redis frozen (SIGSTOP)', seconds: 6, act: async () => redis.freeze(), redis: false },
    { name: 'Redis thawed', seconds: 5, act: async () => redis.thaw(), redis: true },
  ]
  if (disk === undefined) return phases
  return [
    ...phases,
    { name: 'disk full, Redis there', seconds: 3, act: async () => disk.fill(), redis: true },
    { ...killed, name: 'disk full, Redis killed' },
    { name: 'room on the disk again', seconds: 3, act: async () => disk.empty(), redis: false },
    { ...back, name: 'Redis back, all well' },
  ]
}

async function through(phase, app, visitor) {
  await phase.act()
  await pause(phase.seconds * 1000)
  const { asked, added, right, problems } = visitor.take()
  const status = await ask(app.base, '/api/v1/cache/health')
  const { state, backend } = status.status === 200 ? JSON.parse(status.text) : { state: 'none', backend: 'none' }
  const times = asked.map(one => one.ms).toSorted((a, b) => a - b)
  const bad = asked.filter(one => one.status !== 200)
  const said = problems.map(text => `${phase.name}: ${text}`)
  if (asked.length === 0) said.push(`${phase.name}: no dashboard was answered`)
  for (const { status: code, text } of bad.slice(0, 3)) said.push(`${phase.name}: ${code}: ${text.slice(0, 200)}`)
  if (times.at(-1) > SLOWEST_MS) said.push(`${phase.name}: an answer took ${ms(times.at(-1))}`)
  if (phase.redis && state !== 'HEALTHY') said.push(`${phase.name}: ${state} after ${phase.seconds} s with Redis`)
  if (added === 0) said.push(`${phase.name}: no contact could be added`)
  const row = [
    phase.name,
    asked.length,
    bad.length,
    ms(times[times.length >> 1]),
    ms(times[Math.floor(times.length * 0.99)]),
    ms(times.at(-1)),
    added,
    right,
    `${state}, ${backend}`,
  ]
  console.log(`${phase.name}: ${asked.length} dashboards, ${bad.length} not 200, slowest ${ms(times.at(-1))}`)
  return { row, problems: said }
}

const HEAD = ['phase', 'dashboards', 'not 200', 'p50', 'p99', 'slowest', 'contacts', 'shown at once', 'cache']

async function main() {
  await ensureReady('packages/palier', 'packages/http', 'packages/console', 'apps/campaigns')
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))
  const dir = temporaryDirectory('palier-app-')
  const cacheDir = join(dir, 'cache')
  mkdirSync(cacheDir, { mode: 0o700 })
  const disk = smallDisk(cacheDir)
  const redis = await redisServer()
  await redis.start()
  const env = {
    DATABASE_PATH: join(dir, 'campaigns.sqlite'),
    DATA_DIR: join(dir, 'data'),
    CACHE_DIR: cacheDir,
    CACHE_BACKEND: 'auto',
  }
  const app = await startApp({ ...env, REDIS_URL: redis.url })
  const exact = await startApp({
    ...env,
    CACHE_ENABLED: 'false',
    WORKER: 'false',
    SESSIONS_REDIS: 'false',
    RATE_LIMIT_STORAGE: 'memory',
  })
  credentials = { authorization: `Bearer ${await makeKey(app.base)}` }
  const visitor = createVisitor(app, exact)
  const rows = []
  const problems = []
  for (const phase of phasesOf(redis, disk)) {
    const { row, problems: found } = await through(phase, app, visitor)
    rows.push(row)
    problems.push(...found)
    if (!app.alive()) break
  }
  await visitor.stop()
  problems.push(...visitor.take().problems)
  if (!app.alive()) problems.push(`the application ended:\n${app.output().slice(-2000)}`)
  const ends = await Promise.all([app.stop(), exact.stop()])
  if (ends.some(end => end !== 0)) problems.push(`the servers ended with ${ends.join(' and ')} after SIGTERM`)
  agent.destroy()
  await redis.stop()
  disk?.remove()
  console.log(`\n${columns(HEAD, rows)}\n`)
  for (const problem of problems) console.error(`FAILED ${problem}`)
  process.exitCode = problems.length === 0 ? 0 : 1
}

await main()
