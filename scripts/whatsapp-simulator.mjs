// npm run whatsapp:simulator: a Cloud API of one's own. SIMULATOR_PORT and SIMULATOR_TARGET say where it listens and
// where its webhooks go.
import { runProgram } from './program.mjs'

await runProgram('simulator/main.ts')
