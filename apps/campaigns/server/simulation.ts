import { createSimulator, type Simulator } from '../simulator/simulator.ts'
import { outcomeByNumber } from '../simulator/rules.ts'
import { upsert } from './database/portable.ts'
import { hashToken } from './secrets.ts'
import type { Services } from './services.ts'
import { write } from './work.ts'

/** What becomes of a message takes moments, as with the real thing: a run can be watched. */
const TIMINGS = { sent: 300, delivered: 1500, read: 6000 }

export interface Simulation {
  /** `auto`: where no account of the Cloud API is configured. */
  readonly mode: 'auto' | 'on' | 'off'
  /** Where this application listens, for webhooks. */
  readonly address: string
  /** A clock of one's own; then statuses come at once, when `settle` of the simulator is called. */
  readonly now?: () => number
}

/**
 * Starts the simulator beside the application and makes it an account, so that campaigns can be tried before there is a
 * real one. Its secrets are derived from ours: the account is as hard to forge as any. The caller closes it.
 */
export async function startSimulation(
  services: Services,
  { mode, address, now }: Simulation,
): Promise<Simulator | undefined> {
  if (mode === 'off') return undefined
  if (mode === 'auto') {
    const { database } = services
    const real = await database.writer
      .selectFrom('wa_accounts')
      .select('id')
      .where('provider', '=', 'cloud')
      .limit(1)
      .execute()
    if (real.length > 0) return undefined
  }
  const { simulatorKey } = services.secrets
  const simulator = await createSimulator({
    target: `${address}/webhooks/whatsapp`,
    otherwise: outcomeByNumber,
    ...(now === undefined ? { timings: TIMINGS } : { now }),
    batching: { share: 0.2, most: 5 },
    account: { token: simulatorKey, appSecret: simulatorKey, verifyToken: simulatorKey },
  })
  try {
    await saveAccount(services, simulator)
  } catch (error) {
    await simulator.close()
    throw error
  }
  return simulator
}

async function saveAccount(services: Services, { account }: Simulator): Promise<void> {
  const { newId, secrets } = services
  await write(services, async work => {
    const row = {
      id: newId(),
      name: 'Simulator',
      provider: 'simulator' as const,
      phone_number_id: account.phoneNumberId,
      waba_id: account.wabaId,
      display_phone: account.displayPhone,
      token_enc: secrets.encrypt(account.token),
      app_secret_enc: secrets.encrypt(account.appSecret),
      verify_token_hash: hashToken(account.verifyToken),
      graph_version: account.graphVersion,
      base_url: account.baseUrl,
      mps_limit: 1000,
      status: 'active' as const,
      reason: null,
      created_at: work.at,
      updated_at: work.at,
    }
    const changes = [
      'token_enc',
      'app_secret_enc',
      'verify_token_hash',
      'base_url',
      'status',
      'reason',
      'updated_at',
    ] as const
    await upsert(work.trx, work.engine, 'wa_accounts', row, ['phone_number_id'], [...changes])
    work.touch('accounts')
  })
}
