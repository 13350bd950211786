import type { ContactTable, MessageTable } from '../../server/database/schema.ts'
import type { Services } from '../../server/services.ts'
import { storeWebhook } from '../../server/whatsapp/inbox.ts'
import { signersOf } from '../../server/whatsapp/signature.ts'
import type { Notice } from '../../simulator/envelope.ts'
import { NOON, startServices } from '../support/app.ts'
import type { ENGINES } from '../support/engines.ts'
import {
  drainInbox,
  makeAccount,
  messagesOf,
  phoneOf,
  plant,
  type Plan,
  reply,
  signed,
  type TestAccount,
} from './webhook-world.ts'

/** One process with one account, in which things are told and looked at. */
export interface Scene {
  readonly services: Services
  readonly account: TestAccount
  readonly clock: { now: number }
  /** Stores the notices as one webhook, and applies it. */
  tell(...notices: readonly Notice[]): Promise<void>
  tellRaw(value: object): Promise<void>
  plant(plan?: Partial<Plan>): Promise<string>
  contact(index: number): Promise<ContactTable>
  one(campaignId: string, index: number): Promise<MessageTable>
  two(campaignId: string): Promise<MessageTable[]>
}

export async function makeScene(engine: (typeof ENGINES)[number] = 'sqlite'): Promise<Scene> {
  const clock = { now: NOON }
  const services = await startServices({ engine, now: () => clock.now })
  const account = await makeAccount(services)
  const store = async ({ body, signature }: ReturnType<typeof signed>): Promise<void> => {
    await storeWebhook(services, await signersOf(services, body, signature, undefined), body)
    await drainInbox(services)
  }
  const contactOf = async (phone: string): Promise<ContactTable> =>
    await services.database.writer
      .selectFrom('contacts')
      .selectAll()
      .where('phone_e164', '=', phone)
      .executeTakeFirstOrThrow()
  return {
    services,
    account,
    clock,
    tell: (...notices) => store(signed(account, notices)),
    async tellRaw(value) {
      const template = signed(account, [reply(1, NOON)])
      const envelope = JSON.parse(template.body.toString()) as { entry: { changes: { value: object }[] }[] }
      Object.assign(envelope.entry[0]?.changes[0] ?? {}, value)
      const body = Buffer.from(JSON.stringify(envelope))
      await storeWebhook(
        services,
        [{ id: account.id, phone_number_id: account.phoneNumberId, waba_id: account.wabaId }],
        body,
      )
      await drainInbox(services)
    },
    plant: async plan => (await plant(services, { account, people: 1, from: 1, ...plan })).campaign.id,
    contact: index => contactOf(phoneOf(index)),
    async one(campaignId, index) {
      const { id } = await contactOf(phoneOf(index))
      const rows = await messagesOf(services, campaignId)
      const found = rows.find(row => row.step === 1 && row.contact_id === id)
      if (found === undefined) throw new Error('no Message 1')
      return found
    },
    two: async campaignId => (await messagesOf(services, campaignId)).filter(row => row.step === 2),
  }
}
