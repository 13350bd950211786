// Brings the tables up to date: `npm run migrate -- --status` shows where they are, `--to NAME` goes there.
import { runProgram } from './program.mjs'

await runProgram('server/cli.ts', ['migrate', ...process.argv.slice(2)])
