// Writes sample data; `npm run generate -- --help` lists the options.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = new URL('..', import.meta.url)
const bootstrap = new URL('./bootstrap.mjs', import.meta.url)
if (existsSync(bootstrap)) {
  const { ensureInstalled } = await import(bootstrap.href)
  await ensureInstalled()
}

const program = fileURLToPath(new URL('apps/campaigns/server/generate.ts', root))
const loader = import.meta.resolve('tsx')
const { status, error } = spawnSync(
  process.execPath,
  ['--conditions=source', '--import', loader, program, ...process.argv.slice(2)],
  { stdio: 'inherit' },
)
if (error) throw error
process.exitCode = status ?? 1
