// Runs many simulated histories of the library, on two processes; `npm run simulate -- --help` lists the options. A seed
// that breaks a promise is printed, and ends the run with 1.
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { root, run, tool } from './run.mjs'

const HELP = `npm run simulate -- [options]

  --seeds <n>      how many histories, default 20000
  --from <n>       the first seed, default 1
  --seed <n>       this one alone, with all it did; with --shrink cut down to what matters
  --shrink         takes commands away from --seed as long as it fails
  --profile <p>    calm, network, server, failovers, crashes, scenes or everything; drawn from the seed by default
  --without <p>    lease, stamps, flush, bus, outbox, replay, window, re-arm or journal: switched off, to see it found
  --jobs <n>       processes, default the number of cores`

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    shrink: { type: 'boolean', default: false },
    profile: { type: 'string' },
    without: { type: 'string' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    worker: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const number = name => {
  const value = Number(values[name])
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new RangeError(`--${name}: expected a whole number, got ${values[name]}`)
}

const options = {
  ...(values.profile !== undefined && { profile: values.profile }),
  ...(values.without !== undefined && { without: values.without }),
}

const library = () => import(new URL('../packages/palier/dist/testing.js', import.meta.url).href)

function say({ seed, profile, nodes, violation, commands, time }) {
  const what = `seed ${seed} (${profile}, ${nodes} processes, ${commands} commands, ${Math.round(time / 1000)} s)`
  if (violation === undefined) return console.log(`${what}: every promise was kept`)
  const { promise, node, key, at, text } = violation
  const where = `${node < 0 ? '' : ` on n${node}`}${key === undefined ? '' : ` for ${key}`}`
  console.log(`${what}: ${promise} broken${where} at ${at.toFixed(1)} ms: ${text}`)
}

/** Every `step`th seed from `from` on, `seeds` of them. */
async function work(from, seeds, step) {
  const { simulate } = await library()
  let failed = 0
  for (let i = 0; i < seeds; i++) {
    const report = await simulate(from + i * step, options)
    if (report.violation === undefined) continue
    failed++
    say(report)
  }
  if (failed > 0) process.exitCode = 1
}

async function one(seed) {
  const { shrink, simulate } = await library()
  const small = values.shrink ? await shrink(seed, options) : undefined
  const report = small?.report ?? (await simulate(seed, { ...options, trace: true }))
  console.log(report.trace.join('\n'))
  if (small !== undefined) console.log(`only ${JSON.stringify(small.only)}, noise ${small.noise}`)
  say(report)
  if (report.violation !== undefined) process.exitCode = 1
}

async function all() {
  const [from, seeds, jobs] = [number('from'), number('seeds'), Math.max(1, number('jobs'))]
  const began = performance.now()
  const passed = Object.entries(options).map(([name, value]) => `--${name}=${value}`)
  const self = fileURLToPath(import.meta.url)
  const results = await Promise.all(
    Array.from({ length: jobs }, (_none, i) => {
      const share = Math.floor((seeds - i + jobs - 1) / jobs)
      // Much is made and thrown away: a larger nursery halves the time.
      const args = ['--max-semi-space-size=64', self, `--worker=${jobs}`, `--from=${from + i}`, `--seeds=${share}`]
      return run(process.execPath, [...args, ...passed])
    }),
  )
  const broken = results.some(({ code }) => code !== 0)
  const seconds = (performance.now() - began) / 1000
  console.log(
    `${seeds} seeds from ${from} in ${seconds.toFixed(0)} s: ${broken ? 'promises were broken' : 'every promise was kept'}`,
  )
  if (broken) process.exitCode = 1
}

if (values.help) console.log(HELP)
else if (values.worker !== undefined) await work(number('from'), number('seeds'), number('worker'))
else {
  const { code } = await run(tool('tsc'), ['-b', `${root}/packages/palier`])
  if (code !== 0) process.exitCode = code
  else if (values.seed !== undefined) await one(number('seed'))
  else await all()
}
