import type { Selectable } from 'kysely'
import type { EmailTable } from '../database/schema.ts'
import type { Drain } from '../jobs/contract.ts'
import type { Services } from '../services.ts'
import { type Work, write } from '../work.ts'
import { type Letter, oneLine } from './mailer.ts'

/**
 * Mail is a row of the transaction that asks for it, sent after the commit and never without it. At least once: who dies
 * between the server's word and its own note sends again, under the same Message-ID.
 */

/** Stores the mail in the caller's transaction. Encrypted there, and gone once it is sent: it may hold links that open doors. */
export async function sendMail(services: Services, work: Work, { to, subject, body }: Letter): Promise<void> {
  await work.trx
    .insertInto('emails')
    .values({
      id: services.newId(),
      recipient: to,
      subject: oneLine(subject),
      body: services.secrets.encrypt(body),
      status: 'queued',
      attempts: 0,
      next_attempt_at: work.at,
      created_at: work.at,
    })
    .execute()
  work.after(() => services.jobs.wake())
}

type Email = Selectable<EmailTable>

const BATCH = 20
const MOST_ATTEMPTS = 8
/** Longer than all steps with a server may take together: until then nobody else tries the same mail. */
const LEASE_MS = 180_000
const FIRST_WAIT_MS = 30_000
const LONGEST_ERROR = 500

/** 30 s, then twice as long each time: the eighth try is about an hour after the first. */
function waitAfter(attempts: number): number {
  return FIRST_WAIT_MS * 2 ** (attempts - 1)
}

/** Takes the mail for this process; false when another was quicker. */
async function claim(services: Services, { id, attempts }: Email): Promise<boolean> {
  return await write(services, async ({ trx, at }) => {
    const { numUpdatedRows } = await trx
      .updateTable('emails')
      .set({ attempts: attempts + 1, next_attempt_at: at + LEASE_MS })
      .where('id', '=', id)
      .where('status', '=', 'queued')
      .where('attempts', '=', attempts)
      .executeTakeFirst()
    return numUpdatedRows === 1n
  })
}

/** Whether the server has said of this recipient that no other try will do (RFC 5321, 4.2.1); a refused login is ours to mend. */
function isFinal(error: unknown): boolean {
  const { code, responseCode = 0 } = error as { code?: string; responseCode?: number }
  return (code === 'EENVELOPE' || code === 'EMESSAGE') && responseCode >= 500 && responseCode < 600
}

type Ending = Partial<Email> & Pick<Email, 'status'>

async function deliver(services: Services, email: Email): Promise<Ending> {
  const { mailer, secrets, now, log } = services
  const attempts = email.attempts + 1
  try {
    const { recipient: to, subject } = email
    await mailer.deliver(email.id, { to, subject, body: secrets.decrypt(email.body) })
    return { status: 'sent', sent_at: now(), body: '', error: null }
  } catch (cause) {
    const said = oneLine(cause instanceof Error ? cause.message : String(cause)).slice(0, LONGEST_ERROR)
    if (attempts >= MOST_ATTEMPTS || isFinal(cause)) {
      log.error({ email: email.id, attempts }, `a mail is given up: ${said}`)
      return { status: 'failed', body: '', error: said }
    }
    return { status: 'queued', next_attempt_at: now() + waitAfter(attempts), error: said }
  }
}

/** Sends what is due. A mail that fails waits; one that failed eight times, or was refused for good, is given up. */
export const mailDrain: Drain = {
  name: 'mail',
  async run(services, signal) {
    const due = await services.database.writer
      .selectFrom('emails')
      .selectAll()
      .where('status', '=', 'queued')
      .where('next_attempt_at', '<=', services.now())
      .orderBy('next_attempt_at')
      .limit(BATCH)
      .execute()
    let handled = 0
    for (const email of due) {
      if (signal.aborted) break
      if (!(await claim(services, email))) continue
      const ending = await deliver(services, email)
      await write(services, async ({ trx }) => {
        await trx
          .updateTable('emails')
          .set(ending)
          .where('id', '=', email.id)
          .where('attempts', '=', email.attempts + 1)
          .where('status', '=', 'queued')
          .execute()
      })
      handled++
    }
    return handled
  },
}
