import { OUTCOMES_BY_NUMBER, outcomeByNumber } from './rules.ts'
import { createSimulator } from './simulator.ts'

/** The simulator on its own: `npm run whatsapp:simulator`. */
const PORT = 4020
const TARGET = 'http://127.0.0.1:3000/webhooks/whatsapp'
const TIMINGS = { sent: 300, delivered: 1500, read: 6000 }

function readPort(value: string | undefined): number {
  const port = value === undefined || value === '' ? PORT : Number(value)
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new RangeError(`SIMULATOR_PORT: expected a whole number from 0 to 65535, received "${value}".`)
}

function readTarget(value: string | undefined): string {
  const target = value === undefined || value === '' ? TARGET : value
  if (URL.canParse(target) && /^https?:$/.test(new URL(target).protocol)) return target
  throw new RangeError(`SIMULATOR_TARGET: expected an http or https address, received "${value}".`)
}

function describeMix(): string {
  let from = 0
  const lines = OUTCOMES_BY_NUMBER.map(({ to, what }) => {
    const range = `${String(from).padStart(2, '0')}-${String(to).padStart(2, '0')}`
    from = to + 1
    return `  ${range}  ${what}`
  })
  return lines.join('\n')
}

async function start(): Promise<void> {
  const port = readPort(process.env['SIMULATOR_PORT'])
  const target = readTarget(process.env['SIMULATOR_TARGET'])
  const batching = { share: 0.2, most: 5 }
  const simulator = await createSimulator({ port, target, timings: TIMINGS, batching, otherwise: outcomeByNumber })
  const { account, url } = simulator
  console.log(`WhatsApp simulator  ${url}/${account.graphVersion}`)
  console.log(`phone number id     ${account.phoneNumberId}`)
  console.log(`account (WABA) id   ${account.wabaId}`)
  console.log(`token               ${account.token}`)
  console.log(`app secret          ${account.appSecret}`)
  console.log(`verify token        ${account.verifyToken}`)
  console.log(`webhooks to         ${target}`)
  console.log(`control             ${url}/simulator/state, sent, script, inbound, templates, clock, settle, target`)
  console.log(`\nBy the last two digits of the phone:\n${describeMix()}`)
  const stop = (): void => void simulator.close().then(() => process.exit(0))
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
}

try {
  await start()
} catch (error) {
  const { code } = error as { code?: string }
  const known = error instanceof RangeError || code === 'EADDRINUSE' || code === 'EACCES'
  console.error(known ? (error as Error).message : error)
  process.exitCode = 1
}
