// node scripts/console-walk.mjs [--write]: the management API, asked with curl. Starts examples/express.ts on a free port with
// a directory of its own, runs a fixed list of commands against it, and prints each with what it answered. With --write the
// same text goes into README.md (some of them) and docs/management.md (all), between the markers there.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureInstalled } from './bootstrap.mjs'
import { endWith, temporaryDirectory } from './redis.mjs'
import { root } from './run.mjs'

/** No secret: the server it opens ends with this script. */
const TOKEN = 'a-token-for-trying-out-and-nothing-else'
const START_MS = 60_000
const CURL_MS = 20_000
const WIDTH = 120
/** An array or an object of an answer that takes more room is left out. */
const LONGEST_PART = 150

const SETUP = `TOKEN="X-Palier-Token: $(cat cache/.palier/console-token)"
JSON='Content-Type: application/json'
SHOP=http://localhost:3000
API=$SHOP/ops/api/cache`

const PAGE = 'curl -si $SHOP/products'
const EXPLAIN = 'curl -s -H "$TOKEN" "$API/explain/GET%20localhost:3000%2Fproducts?type=page"'

/**
 * `only`: which fields of an answer are shown, the others as `…`. `head`: so many lines of an answer that is not JSON.
 * `expect`: what the answer must hold, or the walk shows something that is not so. `short`: in README.md too.
 */
const STEPS = [
  { command: `${PAGE} | grep -i cache-status`, expect: 'stored', short: true },
  { command: `${PAGE} | grep -i cache-status`, expect: 'Palier; hit', short: true },
  { command: 'curl -s $API/stats', expect: '"status":401', short: true },
  {
    command: 'curl -s -H "$TOKEN" $API/stats',
    expect: '"HEALTHY"',
    only: ['status', 'reason', 'backend', 'is_available', 'hits', 'misses', 'total_requests', 'hit_rate'],
  },
  { command: 'curl -s -H "$TOKEN" "$API/keys?type=page"', expect: '"tags":["products"]', short: true },
  { command: EXPLAIN, expect: '"next":"hit"', only: ['type', 'key', 'next', 'summary', 'tiers'] },
  {
    command: `curl -s -H "$TOKEN" -H "$JSON" -d '{"target":{"kind":"type","type":"page"}}' $API/preview`,
    expect: '"entries":1',
  },
  { command: 'curl -s -H "$TOKEN" -X POST $API/invalidate/page', expect: '"acked"', keep: 'undo', short: true },
  { command: EXPLAIN, expect: 'was cleared', only: ['type', 'key', 'next', 'summary'] },
  {
    command: `curl -s -H "$TOKEN" -H "$JSON" -d '{"token":"{undo}"}' $API/undo`,
    expect: '{"restored":true}',
    short: true,
  },
  { command: `${PAGE} | grep -i cache-status`, expect: 'Palier; hit' },
  {
    command: `curl -s -X PUT -H "$TOKEN" -H "$JSON" -d '{"types":{"page":{"ttl":"10m"}}}' $API/config`,
    expect: '"ttl":600000',
    only: ['namespace', 'types'],
    within: { types: ['page'] },
  },
  { command: `curl -s -H "$TOKEN" -H "$JSON" -d '{}' $API/clear-all`, expect: '"status":400', short: true },
  { command: 'curl -s -H "$TOKEN" $API/audit', expect: '"what":"clear-all"', first: { entries: 1 } },
  { command: 'curl -s -H "$TOKEN" $SHOP/ops/metrics', expect: '# TYPE palier_cache_requests_total counter', head: 9 },
]

async function startExample(dir) {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', '--conditions=source', join(root, 'examples', 'express.ts')],
    {
      cwd: root,
      env: {
        ...process.env,
        ...{ PORT: '0', CACHE_ENABLED: 'true', CACHE_BACKEND: 'filesystem', CACHE_DIR: join(dir, 'cache') },
        ...{ SESSIONS_REDIS: 'false', SESSION_DIR: join(dir, 'sessions') },
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  endWith(child)
  let output = ''
  const exited = once(child, 'exit').then(([code, signal]) => {
    return signal ?? code
  })
  const port = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`the example does not start:\n${output}`)), START_MS)
    late.unref()
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', data => {
        output += data
        const found = /listening on http:\S+:(\d+)/.exec(output)
        if (found !== null) resolve(found[1])
      })
    }
    void exited.then(end => reject(new Error(`the example ended (${end}):\n${output}`)))
  })
  return {
    port,
    async stop() {
      child.kill('SIGTERM')
      const forced = setTimeout(() => child.kill('SIGKILL'), 10_000)
      const end = await exited
      clearTimeout(forced)
      if (end !== 0) throw new Error(`the example ended with ${end}:\n${output}`)
    },
  }
}

/** Runs a command as it stands, in a shell. */
async function shell(command, env) {
  const child = spawn('sh', ['-c', command], { env, stdio: ['ignore', 'pipe', 'inherit'], timeout: CURL_MS })
  endWith(child)
  let output = ''
  child.stdout.setEncoding('utf8').on('data', text => (output += text))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command}: ended with ${code}`)
  return output.trim()
}

const isPlain = value => typeof value === 'object' && value !== null && !Array.isArray(value)

/** JSON of an answer, without what would hide the rest. `…` stands for what is left out. */
function shortened(value, { only, within = {}, first = {} }) {
  const texts = []
  const entries = Object.entries(value)
  for (const [name, inner] of entries) {
    if (only !== undefined && !only.includes(name)) continue
    let text = JSON.stringify(inner)
    if (within[name] !== undefined) text = shortened(inner, { only: within[name] })
    else if (first[name] !== undefined && inner.length > first[name]) {
      text = `[${inner
        .slice(0, first[name])
        .map(part => JSON.stringify(part))
        .join(',')},…]`
    } else if (typeof inner === 'object' && text.length > LONGEST_PART) text = longPart(inner)
    texts.push(`${JSON.stringify(name)}:${text}`)
  }
  return `{${texts.join(',')}${texts.length < entries.length ? ',…' : ''}}`
}

/** A list of objects, or an object of lists, by its short parts. */
function longPart(value) {
  if (Array.isArray(value)) return `[${value.map(part => (isPlain(part) ? shortened(part, {}) : '…')).join(',')}]`
  return '{…}'
}

/** Breaks lines where JSON and sentences may be broken. */
function wrapped(text) {
  const lines = []
  for (let rest of text.split('\n')) {
    while (rest.length > WIDTH) {
      const part = rest.slice(0, WIDTH)
      const at = Math.max(part.lastIndexOf(','), part.lastIndexOf(' '))
      if (at <= 0) break
      lines.push(rest.slice(0, at + 1).trimEnd())
      rest = rest.slice(at + 1)
    }
    lines.push(rest)
  }
  return lines.join('\n')
}

function shown(output, step) {
  if (step.head !== undefined) return output.split('\n').slice(0, step.head).join('\n')
  return wrapped(output.startsWith('{') ? shortened(JSON.parse(output), step) : output)
}

async function walk(port, dir) {
  // Commands are those of the page: curl itself is told where localhost:3000 is for now.
  writeFileSync(join(dir, '.curlrc'), `connect-to = "localhost:3000:127.0.0.1:${port}"\nnoproxy = "*"\n`)
  const env = { ...process.env, CURL_HOME: dir }
  const kept = {}
  const done = []
  for (const step of STEPS) {
    const command = step.command.replace(/\{(undo)\}/g, (_all, name) => kept[name])
    const output = await shell(`cd '${dir}'\n${SETUP}\n${command}`, env)
    if (!output.includes(step.expect)) throw new Error(`${command}: expected ${step.expect} in\n${output}`)
    if (step.keep !== undefined) kept[step.keep] = JSON.parse(output)[step.keep]
    const text = `$ ${command}\n${shown(output, step)}`
    console.log(`\n${text}`)
    done.push({ text, short: step.short === true })
  }
  return done
}

function block(steps) {
  const setup = SETUP.split('\n').map(line => `$ ${line}`)
  return ['```', setup.join('\n'), ...steps.flatMap(({ text }) => ['', text]), '```'].join('\n')
}

function replaceBlock(page, text) {
  const path = join(root, page)
  const before = readFileSync(path, 'utf8')
  const [begin, end] = ['<!-- scripts/console-walk.mjs -->', '<!-- end -->']
  const from = before.indexOf(begin)
  const to = before.indexOf(end, from)
  if (from < 0 || to < 0) throw new Error(`${page}: the markers ${begin} and ${end} are not there`)
  writeFileSync(path, `${before.slice(0, from + begin.length)}\n${text}\n${before.slice(to)}`)
  console.log(`\nwritten: ${page}`)
}

const unknown = process.argv.slice(2).filter(argument => argument !== '--write')
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(' ')}; there is --write`)
  process.exit(2)
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))
await ensureInstalled()
const dir = temporaryDirectory('palier-walk-')
mkdirSync(join(dir, 'cache', '.palier'), { recursive: true, mode: 0o700 })
writeFileSync(join(dir, 'cache', '.palier', 'console-token'), `${TOKEN}\n`, { mode: 0o600 })
const example = await startExample(dir)
let steps = []
try {
  steps = await walk(example.port, dir)
} finally {
  await example.stop()
}
if (process.argv.includes('--write')) {
  replaceBlock('README.md', block(steps.filter(({ short }) => short)))
  replaceBlock('docs/management.md', block(steps))
}
