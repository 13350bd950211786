import type { Kysely } from 'kysely'
import type { AccountTable, Tables } from '../database/schema.ts'
import { forUpdate, isUniqueViolation } from '../database/portable.ts'
import { badFields, notFound, Problem } from '../problem.ts'
import { hashToken } from '../secrets.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'
import { type Work, write, type WriteOptions } from '../work.ts'
import type { WhatsAppAccount } from './port.ts'

/** A number of a WhatsApp Business account as people see it: its secrets go in and never come out. */
export type Account = Omit<AccountTable, 'token_enc' | 'app_secret_enc' | 'verify_token_hash'>

export interface AccountSecrets {
  /** The bearer of every call. */
  readonly token: string
  /** Of the Meta app: signs the webhooks. */
  readonly app_secret: string
  /** What Meta repeats when a webhook address is set up. */
  readonly verify_token: string
}

export type NewAccount = Pick<
  AccountTable,
  'name' | 'provider' | 'phone_number_id' | 'waba_id' | 'display_phone' | 'graph_version' | 'base_url' | 'mps_limit'
> &
  AccountSecrets

export type AccountChange = Partial<
  Pick<NewAccount, 'name' | 'display_phone' | 'graph_version' | 'base_url' | 'mps_limit'> &
    AccountSecrets & { readonly status: AccountTable['status'] }
>

type Db = Kysely<Tables>

const VISIBLE = [
  'id',
  'name',
  'provider',
  'phone_number_id',
  'waba_id',
  'display_phone',
  'graph_version',
  'base_url',
  'mps_limit',
  'status',
  'reason',
  'created_at',
  'updated_at',
] as const

export async function listAccounts(db: Db): Promise<Account[]> {
  return await db.selectFrom('wa_accounts').select(VISIBLE).orderBy('created_at').orderBy('id').execute()
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/
/** Names that end in a public top-level domain: no bare addresses, and no host that only our own network knows. */
const PUBLIC_NAME =
  /^(?:[a-z\d](?:[a-z\d-]*[a-z\d])?\.)+(?!(?:localhost|local|internal|intranet|lan|home|corp|arpa)$)[a-z][a-z\d-]*[a-z\d]$/

const EXPECTED = {
  cloud: 'an https origin with a public host name, such as https://graph.facebook.com',
  simulator: 'an origin on this machine, such as http://127.0.0.1:4000',
}

/**
 * The address that the token is sent to. Whoever may write accounts must not thereby make the server talk to hosts that
 * only it can reach.
 */
function readBaseUrl(text: string, provider: AccountTable['provider']): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const bare = url !== undefined && (url.href === `${url.origin}/` || url.href === url.origin)
  const right =
    provider === 'cloud'
      ? url?.protocol === 'https:' && url.port === '' && PUBLIC_NAME.test(url.hostname)
      : (url?.protocol === 'http:' || url?.protocol === 'https:') && LOOPBACK.test(url.hostname)
  if (url !== undefined && bare && right) return url.origin
  throw badFields([{ field: 'body.base_url', expected: EXPECTED[provider], received: received(text) }])
}

function hideSecrets({ secrets }: Services, given: Partial<AccountSecrets>): Partial<AccountTable> {
  const { token, app_secret, verify_token } = given
  return {
    ...(token === undefined ? {} : { token_enc: secrets.encrypt(token) }),
    ...(app_secret === undefined ? {} : { app_secret_enc: secrets.encrypt(app_secret) }),
    ...(verify_token === undefined ? {} : { verify_token_hash: hashToken(verify_token) }),
  }
}

function visible(row: AccountTable): Account {
  const { token_enc: _token, app_secret_enc: _secret, verify_token_hash: _verify, ...account } = row
  return account
}

/** Stores the account; a 409 problem when its number is there already. */
export async function createAccount(services: Services, input: NewAccount, options: WriteOptions): Promise<Account> {
  const { token, app_secret, verify_token, ...rest } = input
  const { secrets } = services
  const base_url = readBaseUrl(input.base_url, input.provider)
  try {
    return await write(
      services,
      async work => {
        const row: AccountTable = {
          ...rest,
          id: services.newId(),
          base_url,
          token_enc: secrets.encrypt(token),
          app_secret_enc: secrets.encrypt(app_secret),
          verify_token_hash: hashToken(verify_token),
          status: 'active',
          reason: null,
          created_at: work.at,
          updated_at: work.at,
        }
        await work.trx.insertInto('wa_accounts').values(row).execute()
        await work.record({ action: 'create', entity: 'account', id: row.id, after: row })
        work.touch('accounts')
        return visible(row)
      },
      options,
    )
  } catch (error) {
    if (!isUniqueViolation(error, 'phone_number_id')) throw error
    const expected = 'a number that has no account yet'
    throw badFields([{ field: 'body.phone_number_id', expected, received: received(input.phone_number_id) }], 409)
  }
}

/** Changes the given fields. An account that is set to active again loses the reason it was stopped for. */
export async function updateAccount(
  services: Services,
  id: string,
  { token, app_secret, verify_token, ...fields }: AccountChange,
  options: WriteOptions,
): Promise<Account> {
  const change = async (work: Work): Promise<Account> => {
    const before = await work.trx
      .selectFrom('wa_accounts')
      .selectAll()
      .where('id', '=', id)
      .$call(forUpdate(work.engine))
      .executeTakeFirst()
    if (before === undefined) throw notFound('account', id)
    const { status } = fields
    const base_url = fields.base_url === undefined ? before.base_url : readBaseUrl(fields.base_url, before.provider)
    // A token goes where it was meant to go by whoever knew it, and nowhere else.
    if (base_url !== before.base_url && token === undefined) {
      const expected = 'the token as well, since it is sent to the new base_url'
      throw badFields([{ field: 'body.token', expected, received: received(token) }])
    }
    const patch: Partial<AccountTable> = {
      ...fields,
      base_url,
      ...(status === undefined ? {} : { reason: status === 'active' ? null : 'Stopped by hand.' }),
      ...hideSecrets(services, {
        ...(token === undefined ? {} : { token }),
        ...(app_secret === undefined ? {} : { app_secret }),
        ...(verify_token === undefined ? {} : { verify_token }),
      }),
      updated_at: work.at,
    }
    await work.trx.updateTable('wa_accounts').set(patch).where('id', '=', id).execute()
    const after = { ...before, ...patch }
    await work.record({ action: 'update', entity: 'account', id, before, after })
    work.touch('accounts')
    return visible(after)
  }
  return await write(services, change, options)
}

/**
 * What the port needs to send for the account. A 404 problem when there is none, a 409 problem when it is stopped.
 * Reads the primary: a token that was changed is the one used from then on. Not for use inside a transaction.
 */
export async function accountFor({ database, secrets }: Services, id: string): Promise<WhatsAppAccount> {
  const row = await database.reader.selectFrom('wa_accounts').selectAll().where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw notFound('account', id)
  if (row.status === 'stopped') throw new Problem(409, `The account ${row.name} is stopped: ${row.reason ?? ''}`)
  return {
    phoneNumberId: row.phone_number_id,
    wabaId: row.waba_id,
    token: secrets.decrypt(row.token_enc),
    graphVersion: row.graph_version,
    baseUrl: row.base_url,
  }
}
