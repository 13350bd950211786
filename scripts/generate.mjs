// Writes sample data; `npm run generate -- --help` lists the options.
import { runProgram } from './program.mjs'

await runProgram('server/generate.ts')
