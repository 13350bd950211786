// node scripts/build-pages.mjs: builds what browsers are given: the application's pages, the console's, the wizard's style. Each only
// when something it is made of has changed since the last time. `npm start`, `npm test` and `npm run build` call it.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensureInstalled } from './bootstrap.mjs'
import { root, run, tool } from './run.mjs'

const BUILDS = [
  {
    name: "the console's pages",
    config: 'packages/console/ui/vite.config.ts',
    sources: ['packages/design', 'packages/console/ui', 'packages/console/src/api.ts'],
    into: 'packages/console/dist/ui',
  },
  {
    name: "the wizard's style and script",
    config: 'packages/console/wizard/vite.config.ts',
    sources: ['packages/design', 'packages/console/wizard'],
    into: 'packages/console/dist/wizard-pages',
  },
  {
    name: "the application's pages",
    config: 'apps/campaigns/web/vite.config.ts',
    sources: ['packages/design', 'apps/campaigns/web'],
    into: 'apps/campaigns/dist/web',
  },
].filter(({ config }) => existsSync(join(root, config)))

function* filesOf(path) {
  if (statSync(path).isFile()) {
    yield path
    return
  }
  for (const name of readdirSync(path).toSorted()) {
    if (name !== 'dist' && name !== 'node_modules') yield* filesOf(join(path, name))
  }
}

/** Of names and contents: a checkout changes every time and no file. */
function digestOf(sources) {
  const hash = createHash('sha256').update(readFileSync(join(root, 'package-lock.json')))
  for (const source of sources) {
    for (const file of filesOf(join(root, source))) hash.update(`${file}\0`).update(readFileSync(file))
  }
  return hash.digest('hex')
}

/** Builds what is not as its sources are. False when a build failed; its output then says why. */
export async function buildPages() {
  for (const { name, config, sources, into } of BUILDS) {
    const note = join(root, `${into}.built`)
    const digest = digestOf(sources)
    const known = existsSync(note) && existsSync(join(root, into)) && readFileSync(note, 'utf8') === digest
    if (known) continue
    console.log(`Building ${name}.`)
    const { code, output } = await run(tool('vite'), ['build', '--config', config, '--logLevel', 'warn'], {
      show: false,
    })
    if (code !== 0) {
      process.stdout.write(output)
      return false
    }
    mkdirSync(join(root, into, '..'), { recursive: true })
    writeFileSync(note, digest)
  }
  return true
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? root).href) {
  await ensureInstalled()
  const { code } = await run(tool('tsc'), ['-b'])
  process.exitCode = code === 0 && (await buildPages()) ? 0 : 1
}
