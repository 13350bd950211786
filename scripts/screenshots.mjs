// npm run screenshots: see apps/campaigns/e2e/screenshots.ts.
import { ensureBrowser, ensureInstalled } from './bootstrap.mjs'
import { buildPages } from './build-pages.mjs'
import { runProgram } from './program.mjs'

await ensureInstalled()
await ensureBrowser()
if (await buildPages()) await runProgram('e2e/screenshots.ts')
else process.exitCode = 1
