// npm test: every static check, then every test with coverage. With arguments (npm test -- <file or vitest option>):
// only those tests. The last line is always "N passed, N failed"; a check counts as one, as a test does.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  ensureBrowser,
  ensureDatabaseServers,
  ensureFaultTools,
  ensureInstalled,
  ensureRedisServer,
} from './bootstrap.mjs'
import { buildPages } from './build-pages.mjs'
import { check, step } from './check.mjs'
import { root, run, tool } from './run.mjs'

/** Where the tests put what Chromium counted. */
const COUNTED = join(root, 'coverage', 'pages')

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    // Vitest did not live to write it: told by its exit code.
    return { testResults: [] }
  }
}

/** Tests passed and failed; a file that failed before or beside its tests counts as one failure more. */
function countTests({ testResults }) {
  const counts = { passed: 0, failed: 0, skipped: [] }
  for (const file of testResults) {
    const failedBefore = counts.failed
    for (const test of file.assertionResults) {
      if (test.status === 'passed') counts.passed++
      else if (test.status === 'failed') counts.failed++
      else counts.skipped.push(test.fullName)
    }
    if (file.status === 'failed' && counts.failed === failedBefore) counts.failed++
  }
  return counts
}

async function runTests(extra) {
  const directory = mkdtempSync(join(tmpdir(), 'palier-test-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  const report = join(directory, 'report.json')
  const whole = extra.length === 0
  let counts = { passed: 0, failed: 0, skipped: [] }
  await step(whole ? 'tests and coverage' : 'tests', async () => {
    const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    const env = whole ? { PAGE_COVERAGE: COUNTED } : {}
    rmSync(COUNTED, { recursive: true, force: true })
    const { code } = await run(tool('vitest'), [...args, ...(whole ? ['--coverage'] : extra)], { env })
    counts = countTests(readReport(report))
    // Coverage under its bar, an unhandled rejection, a crash, no test found: failures that no test carries.
    if (code !== 0 && counts.failed === 0) counts.failed = 1
    return code === 0 && counts.failed === 0
  })
  if (counts.skipped.length > 0) console.log(`skipped: ${counts.skipped.join('; ')}`)
  return counts
}

const extra = process.argv.slice(2)
await ensureInstalled()
await ensureRedisServer()
await ensureDatabaseServers()
await ensureFaultTools()
await ensureBrowser()
if (!(await step('pages', buildPages))) {
  console.log('\n0 passed, 1 failed')
  process.exit(1)
}
const checks = extra.length === 0 ? await check() : { passed: 0, failed: 0 }
if (extra.length === 0) {
  const within = await step(
    'sizes',
    async () => (await run(process.execPath, [join('scripts', 'sizes.mjs')])).code === 0,
  )
  if (within) checks.passed++
  else checks.failed++
}
const tests = await runTests(extra)
if (extra.length === 0) {
  // Of what only a browser runs; the bar for it is in the script. Loaded late: it needs what has just been installed.
  const { pageCoverage } = await import('./page-coverage.mjs')
  const enough = await step('coverage of the pages', () => pageCoverage(COUNTED))
  if (enough) tests.passed++
  else tests.failed++
}
const passed = checks.passed + tests.passed
const failed = checks.failed + tests.failed
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
