import type { Kysely, Transaction } from 'kysely'
import { behind, type Cursors, cutPage, type Page } from '../cursor.ts'
import { forUpdate, insertIfAbsent, isUniqueViolation } from '../database/portable.ts'
import type { Role, Tables, UserTable } from '../database/schema.ts'
import { badFields, notFound, Problem } from '../problem.ts'
import { randomToken } from '../secrets.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'
import { type Work, write } from '../work.ts'
import type { Actor } from './actor.ts'
import { passwordProblem } from './password-rules.ts'
import { untilHeard } from './until-heard.ts'

/** A user as everybody who may read users sees them. */
export type User = Omit<UserTable, 'password_hash' | 'session_epoch'>

export interface UserFilter {
  readonly limit: number
  readonly cursor?: string
  readonly role?: Role
  readonly status?: UserTable['status']
  /** How the address begins. */
  readonly email?: string
}

export interface NewUser {
  readonly email: string
  readonly name: string
  readonly password: string
  readonly role: Role
  readonly locale: string
}

export type UserChange = Partial<NewUser & Pick<UserTable, 'status'>>

const COLUMNS = [
  'id',
  'email',
  'name',
  'role',
  'status',
  'locale',
  'last_login_at',
  'created_at',
  'updated_at',
] as const
const AFTER_EVERY_TEXT = '\u{10ffff}'

/** A page of users, the newest first. One query. */
export async function listUsers(db: Kysely<Tables>, cursors: Cursors, filter: UserFilter): Promise<Page<User>> {
  const { limit, role, status } = filter
  const email = filter.email?.toLowerCase()
  const list = `users ${JSON.stringify([role, status, email])}`
  const position = cursors.read(list, filter.cursor)
  let query = db
    .selectFrom('users')
    .select(COLUMNS)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
  if (role !== undefined) query = query.where('role', '=', role)
  if (status !== undefined) query = query.where('status', '=', status)
  if (email !== undefined) query = query.where('email', '>=', email).where('email', '<', email + AFTER_EVERY_TEXT)
  if (position !== undefined) {
    query = query.where(behind('created_at', 'id', position))
  }
  const next = ({ created_at, id }: User): string => cursors.write(list, [created_at, id])
  return cutPage(await query.execute(), limit, next, row => row)
}

export async function findUser(db: Kysely<Tables>, id: string): Promise<User> {
  const user = await db.selectFrom('users').select(COLUMNS).where('id', '=', id).executeTakeFirst()
  if (user === undefined) throw notFound('user', id)
  return user
}

function shown({ password_hash: _, session_epoch: __, ...user }: UserTable): User {
  return user
}

/** A taken address is told from every other failure by what the database says, never by asking beforehand. */
async function refuseTakenAddress<T>(email: string | undefined, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (!isUniqueViolation(error, 'email')) throw error
    throw badFields(
      [{ field: 'body.email', expected: 'an address that no other user has', received: received(email) }],
      409,
    )
  }
}

const RANK: Readonly<Record<Role, number>> = { agent: 0, manager: 1, admin: 2 }

/** Nobody gives more than they have, to themselves or to others. */
function refuseRaise(actor: Actor, role: Role): void {
  if (actor.kind === 'system' || (actor.role !== null && RANK[role] <= RANK[actor.role])) return
  throw new Problem(403, `body.role: expected at most your own role, ${actor.role ?? 'none'}, received "${role}"`)
}

function rowOf({ email, name, role, locale }: NewUser, id: string, passwordHash: string, at: number): UserTable {
  const times = { last_login_at: null, created_at: at, updated_at: at }
  return { id, email, name, password_hash: passwordHash, role, status: 'active', locale, session_epoch: 1, ...times }
}

export async function createUser(services: Services, actor: Actor, input: NewUser): Promise<User> {
  refuseRaise(actor, input.role)
  const problem = passwordProblem('body.password', input.password, input)
  if (problem !== undefined) throw problem
  const passwordHash = await services.passwords.hash(input.password)
  const id = services.newId()
  const add = async (work: Work): Promise<User> => {
    const row = rowOf(input, id, passwordHash, work.at)
    await work.trx.insertInto('users').values(row).execute()
    await work.record({ action: 'create', entity: 'user', id, after: row })
    work.touch('users', `user:${id}`)
    return shown(row)
  }
  return await refuseTakenAddress(input.email, () => write(services, add, { actor }))
}

/** The user's row, which nobody else changes before the end of the transaction. */
export async function lockUser({ trx, engine }: Work, id: string): Promise<UserTable | undefined> {
  return await trx.selectFrom('users').selectAll().where('id', '=', id).$call(forUpdate(engine)).executeTakeFirst()
}

/**
 * Locks every active administrator, in the order of their ids, before the row that is to change: two who take each other's
 * role at once wait for one another here, and the second sees what the first has left.
 */
async function keepAnAdmin({ trx, engine }: Work, leaving: string): Promise<void> {
  const admins = await trx
    .selectFrom('users')
    .select('id')
    .where('role', '=', 'admin')
    .where('status', '=', 'active')
    .orderBy('id')
    .$call(forUpdate(engine))
    .execute()
  if (admins.some(({ id }) => id === leaving) && admins.length === 1) {
    throw new Problem(409, 'This is the last active administrator: give somebody else that role first.')
  }
}

/** What ends sessions: another role, no access at all, another password. */
function endsSessions(before: UserTable, after: UserTable): boolean {
  const names = ['role', 'password_hash'] as const
  return names.some(name => before[name] !== after[name]) || (before.status === 'active' && after.status === 'disabled')
}

async function saveUser(work: Work, before: UserTable, change: Partial<UserTable>): Promise<UserTable> {
  const changed = { ...before, ...change, updated_at: work.at }
  const after = { ...changed, session_epoch: before.session_epoch + (endsSessions(before, changed) ? 1 : 0) }
  const { id, ...columns } = after
  await work.trx.updateTable('users').set(columns).where('id', '=', id).execute()
  await work.record({ action: 'update', entity: 'user', id, before, after })
  work.touch('users', `user:${id}`)
  return after
}

/** Changes the given fields. What takes a right away ends the sessions of that user, in every process. */
export async function updateUser(services: Services, actor: Actor, id: string, change: UserChange): Promise<User> {
  const { password, ...columns } = change
  if (columns.role !== undefined) refuseRaise(actor, columns.role)
  const hash = password === undefined ? {} : { password_hash: await hashChecked(services, id, password, columns) }
  const takesAdmin = (columns.role !== undefined && columns.role !== 'admin') || columns.status === 'disabled'
  const save = async (work: Work): Promise<{ user: User; ended: boolean }> => {
    if (takesAdmin) await keepAnAdmin(work, id)
    const before = await lockUser(work, id)
    if (before === undefined) throw notFound('user', id)
    if (password !== undefined) await useUpResets(work, id)
    const after = await saveUser(work, before, { ...columns, ...hash })
    return { user: shown(after), ended: after.session_epoch !== before.session_epoch }
  }
  const { user, ended } = await refuseTakenAddress(columns.email, () => write(services, save, { actor }))
  if (ended) await untilHeard(services)
  return user
}

async function hashChecked(services: Services, id: string, password: string, change: UserChange): Promise<string> {
  const user = await findUser(services.database.writer, id)
  const problem = passwordProblem('body.password', password, { ...user, ...change })
  if (problem !== undefined) throw problem
  return await services.passwords.hash(password)
}

/** Links that were mailed open nothing any more once the password is another. */
async function useUpResets({ trx, at }: Work, userId: string): Promise<void> {
  await trx
    .updateTable('password_resets')
    .set({ used_at: at })
    .where('user_id', '=', userId)
    .where('used_at', 'is', null)
    .execute()
}

/** A new password of the user's own: every session that exists ends. Returns the row as it is then. */
export async function replacePassword(work: Work, before: UserTable, passwordHash: string): Promise<UserTable> {
  await useUpResets(work, before.id)
  return await saveUser(work, before, { password_hash: passwordHash })
}

export async function deleteUser(services: Services, actor: Actor, id: string): Promise<void> {
  const remove = async (work: Work): Promise<void> => {
    await keepAnAdmin(work, id)
    const before = await lockUser(work, id)
    if (before === undefined) throw notFound('user', id)
    await work.trx.deleteFrom('users').where('id', '=', id).execute()
    await work.record({ action: 'delete', entity: 'user', id, before })
    work.touch('users', `user:${id}`)
  }
  await write(services, remove, { actor })
  await untilHeard(services)
}

export interface FirstAdmin {
  readonly email: string
  /** Only when it was made here: nobody else knows it. */
  readonly password?: string
}

/**
 * Makes the first administrator where there is no user at all, with a password of its own making unless one is given;
 * undefined where there is somebody already, or another process was quicker. Throws a Problem for a password that would
 * be guessed.
 */
export async function createFirstAdmin(
  services: Services,
  {
    email,
    name = 'Administrator',
    password,
    locale = 'en',
  }: {
    readonly email: string
    readonly name?: string
    readonly password?: string | undefined
    readonly locale?: string
  },
): Promise<FirstAdmin | undefined> {
  const anybody = (db: Kysely<Tables> | Transaction<Tables>): Promise<object | undefined> =>
    db.selectFrom('users').select('id').limit(1).executeTakeFirst()
  if ((await anybody(services.database.writer)) !== undefined) return undefined
  const problem = password === undefined ? undefined : passwordProblem('password', password, { email, name })
  if (problem !== undefined) throw problem
  const chosen = password ?? randomToken().slice(0, 20)
  const passwordHash = await services.passwords.hash(chosen)
  const id = services.newId()
  const isMade = await write(services, async work => {
    if ((await anybody(work.trx)) !== undefined) return false
    const row = rowOf(
      { email: email.toLowerCase(), name, password: chosen, role: 'admin', locale },
      id,
      passwordHash,
      work.at,
    )
    // Two first starts at once mean the same address: the index lets one of them in.
    if ((await insertIfAbsent(work.trx, work.engine, 'users', [row])) === 0) return false
    await work.record({ action: 'create', entity: 'user', id, after: row })
    work.touch('users', `user:${id}`)
    return true
  })
  if (!isMade) return undefined
  return password === undefined ? { email, password: chosen } : { email }
}
