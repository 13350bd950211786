// node scripts/page-speed.mjs: see apps/campaigns/e2e/page-speed.ts.
import { ensureBrowser, ensureInstalled } from './bootstrap.mjs'
import { buildPages } from './build-pages.mjs'
import { runProgram } from './program.mjs'

await ensureInstalled()
await ensureBrowser()
if (await buildPages()) await runProgram('e2e/page-speed.ts')
else process.exitCode = 1
