// npm start: installs what is missing, builds what has changed, and becomes the application. The application is loaded
// into this very process, so signals, output and the exit code are its own, and nothing can outlive anything.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensureInstalled } from './bootstrap.mjs'
import { buildPages } from './build-pages.mjs'
import { root, run, tool } from './run.mjs'

const app = join(root, 'apps', 'campaigns')

await ensureInstalled()
const built = await run(tool('tsc'), ['-b', join('packages', 'palier'), join('apps', 'campaigns')])
if (built.code !== 0 || !(await buildPages())) {
  console.error('\nThe application did not compile; the errors are above.')
  process.exit(1)
}
const main = join(app, 'dist', 'server', 'main.js')
process.argv[1] = main
await import(pathToFileURL(main).href)
