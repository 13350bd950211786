// A campaign from import to the last silence, through the simulator: `npm run demo:campaign`.
import { runProgram } from './program.mjs'

await runProgram('demo/campaign.ts')
