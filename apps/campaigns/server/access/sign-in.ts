import type { UserTable } from '../database/schema.ts'
import { passwordChangedLetter, resetLetter } from '../mail/letters.ts'
import { sendMail } from '../mail/outbox.ts'
import { badFields, type Problem } from '../problem.ts'
import { hashToken, randomToken } from '../secrets.ts'
import type { Services } from '../services.ts'
import { type Work, write } from '../work.ts'
import { type Actor, NOBODY } from './actor.ts'
import { passwordProblem } from './password-rules.ts'
import { untilHeard } from './until-heard.ts'
import { lockUser, replacePassword } from './users.ts'

/** What proves who somebody is: their password, or a link that was mailed to them. */
type From = Pick<Actor, 'ip' | 'requestId'>

const asUser = ({ id, email, role }: UserTable, { ip, requestId }: From): Actor => ({
  ...NOBODY,
  kind: 'user',
  userId: id,
  name: email,
  role,
  ip,
  requestId,
})

async function findByEmail({ database }: Services, email: string): Promise<UserTable | undefined> {
  return await database.writer.selectFrom('users').selectAll().where('email', '=', email).executeTakeFirst()
}

/**
 * The user whose address and password these are, or undefined; that takes as long for an address nobody has. Stores when
 * they came, and their hash at today's cost.
 */
export async function signIn(
  services: Services,
  email: string,
  password: string,
  from: From,
): Promise<UserTable | undefined> {
  const { passwords } = services
  const user = await findByEmail(services, email)
  const isRight =
    user === undefined ? await passwords.pretend(password) : await passwords.verify(user.password_hash, password)
  if (user === undefined || !isRight || user.status !== 'active') return undefined
  const rehashed = passwords.isOutdated(user.password_hash) ? await passwords.hash(password) : user.password_hash
  const enter = async (work: Work): Promise<UserTable | undefined> => {
    const now = await lockUser(work, user.id)
    // Disabled, or given another password, while this one was checked.
    if (now === undefined || now.status !== 'active' || now.password_hash !== user.password_hash) return undefined
    const after = { ...now, last_login_at: work.at, password_hash: rehashed }
    await work.trx
      .updateTable('users')
      .set({ last_login_at: work.at, password_hash: rehashed })
      .where('id', '=', user.id)
      .execute()
    await work.record({ action: 'login', entity: 'user', id: user.id })
    return after
  }
  return await write(services, enter, { actor: asUser(user, from) })
}

/** The user's own change. Returns the row, with the epoch that sessions carry from now on. */
export async function changePassword(
  services: Services,
  actor: Actor,
  present: string,
  chosen: string,
): Promise<UserTable> {
  const { passwords } = services
  const id = actor.userId ?? ''
  const user = await services.database.writer.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst()
  const isRight = user !== undefined && (await passwords.verify(user.password_hash, present))
  if (!isRight) throw wrongPassword()
  const problem = passwordProblem('body.new_password', chosen, user)
  if (problem !== undefined) throw problem
  const hash = await passwords.hash(chosen)
  const change = async (work: Work): Promise<UserTable> => {
    const now = await lockUser(work, id)
    if (now === undefined || now.password_hash !== user.password_hash) throw wrongPassword()
    await sendMail(services, work, passwordChangedLetter(now))
    return await replacePassword(work, now, hash)
  }
  const changed = await write(services, change, { actor })
  await untilHeard(services)
  return changed
}

function wrongPassword(): Problem {
  const fault = { field: 'body.current_password', expected: 'the present password', received: 'another one' }
  return badFields([fault])
}

const RESET_MS = 3_600_000

/** Mails a link to whoever has the address, if anybody has. */
export async function askForReset(services: Services, email: string, from: From): Promise<void> {
  const user = await findByEmail(services, email)
  if (user === undefined || user.status !== 'active') return
  const token = randomToken()
  const { siteUrl } = services.mailer
  const ask = async (work: Work): Promise<void> => {
    const { at } = work
    const times = { expires_at: at + RESET_MS, used_at: null, created_at: at }
    await work.trx
      .insertInto('password_resets')
      .values({ token_hash: hashToken(token), user_id: user.id, ...times })
      .execute()
    // Behind the #, which browsers keep to themselves: no log and no referrer has it.
    await sendMail(services, work, resetLetter(user, `${siteUrl}/app/reset#token=${token}`))
    await work.record({ action: 'password_forgotten', entity: 'user', id: user.id })
  }
  await write(services, ask, { actor: { ...NOBODY, ...from } })
}

function badToken(): Problem {
  const expected = 'the token of a mail of the last hour that was not used yet'
  return badFields([{ field: 'body.token', expected, received: 'another one' }])
}

/** Sets a new password by the token of a mail, once. Ends every session of that user. Returns their address. */
export async function resetPassword(services: Services, token: string, chosen: string, from: From): Promise<string> {
  const hash = hashToken(token)
  const owner = await services.database.writer
    .selectFrom('password_resets')
    .innerJoin('users', 'users.id', 'password_resets.user_id')
    .selectAll('users')
    .where('token_hash', '=', hash)
    .where('used_at', 'is', null)
    .where('expires_at', '>', services.now())
    .where('users.status', '=', 'active')
    .executeTakeFirst()
  if (owner === undefined) throw badToken()
  const problem = passwordProblem('body.password', chosen, owner)
  if (problem !== undefined) throw problem
  const passwordHash = await services.passwords.hash(chosen)
  const reset = async (work: Work): Promise<void> => {
    const user = await lockUser(work, owner.id)
    // Asked again under the lock: of two that come with one token, the second finds it gone.
    const open = await work.trx
      .selectFrom('password_resets')
      .select('token_hash')
      .where('token_hash', '=', hash)
      .where('used_at', 'is', null)
      .where('expires_at', '>', work.at)
      .executeTakeFirst()
    if (user === undefined || user.status !== 'active' || open === undefined) throw badToken()
    await sendMail(services, work, passwordChangedLetter(user))
    await replacePassword(work, user, passwordHash)
  }
  await write(services, reset, { actor: asUser(owner, from) })
  await untilHeard(services)
  return owner.email
}
