// The checks that run nothing of the program: types, lint, format, unused code, the published package.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensureInstalled } from './bootstrap.mjs'
import { root, run, tool } from './run.mjs'

const STEPS = [
  ['types', 'tsc', ['-b']],
  ['lint', 'oxlint', ['--type-aware', '--deny-warnings']],
  ['format', 'biome', ['format', '.']],
  ['unused', 'knip', ['--no-progress', '--no-config-hints']],
  ...['palier', 'http', 'console'].map(name => [`package ${name}`, 'publint', ['--strict', join('packages', name)]]),
  // The console is shipped on Preact; on React it must go on to build.
  [
    'console on React',
    'vite',
    ['build', '--config', 'packages/console/ui/vite.config.ts', '--mode', 'react', '--logLevel', 'warn'],
  ],
]

/** Prints the name of a step, its outcome and its duration around what it does. */
export async function step(name, action) {
  console.log(`\n> ${name}`)
  const startedAt = performance.now()
  const passed = await action()
  console.log(`${passed ? 'ok' : 'FAILED'}  ${name}  ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  return passed
}

/** Runs every step, whatever the others did; the number of steps that passed and failed. */
export async function check() {
  const counts = { passed: 0, failed: 0 }
  for (const [name, command, args] of STEPS) {
    const passed = await step(name, async () => {
      const result = await run(tool(command), args, { show: false })
      if (result.code !== 0) process.stdout.write(result.output)
      return result.code === 0
    })
    if (passed) counts.passed++
    else counts.failed++
  }
  return counts
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? root).href) {
  await ensureInstalled()
  const { passed, failed } = await check()
  console.log(`\n${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}
