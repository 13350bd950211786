import { verifySignature } from '@kapso/whatsapp-cloud-api/server'
import type { AccountTable } from '../database/schema.ts'
import { hashToken } from '../secrets.ts'
import type { Services } from '../services.ts'

/** An account whose app secret made the signature of a webhook, and for which that webhook may speak. */
export type Signer = Pick<AccountTable, 'id' | 'phone_number_id' | 'waba_id'>

export const SIGNATURE = /^sha256=[0-9a-f]{64}$/i

/**
 * The accounts whose secret signed exactly these bytes. Which numbers they are about is not read before, since nobody
 * has vouched for the bytes yet: every secret is tried, once. An account that was stopped sends nothing but still hears.
 */
export async function signersOf(
  { database, secrets, log }: Services,
  bytes: Buffer,
  signature: string,
  phoneNumberId: string | undefined,
): Promise<readonly Signer[]> {
  let query = database.writer
    .selectFrom('wa_accounts')
    .select(['id', 'phone_number_id', 'waba_id', 'app_secret_enc'])
    // The account of the sample has no secret before the simulator has run.
    .where('app_secret_enc', '!=', '')
  if (phoneNumberId !== undefined) query = query.where('phone_number_id', '=', phoneNumberId)
  const verdicts = new Map<string, boolean>()
  const signed = (appSecret: string): boolean => {
    const known = verdicts.get(appSecret)
    if (known !== undefined) return known
    const verdict = verifySignature({ appSecret, rawBody: bytes, signatureHeader: signature.toLowerCase() })
    verdicts.set(appSecret, verdict)
    return verdict
  }
  const rows = await query.orderBy('id').execute()
  return rows.filter(row => {
    try {
      return signed(secrets.decrypt(row.app_secret_enc))
    } catch (error) {
      // The installation's secret was changed: the other accounts are not to suffer from it.
      log.error({ err: error, account: row.id }, 'the app secret of an account cannot be read')
      return false
    }
  })
}

/** Whether some account was given this verify token. Only hashes are compared, so their timing tells nothing. */
export async function isVerifyToken(
  { database }: Services,
  token: string,
  phoneNumberId: string | undefined,
): Promise<boolean> {
  let query = database.writer.selectFrom('wa_accounts').select('verify_token_hash')
  if (phoneNumberId !== undefined) query = query.where('phone_number_id', '=', phoneNumberId)
  const hash = hashToken(token)
  return (await query.execute()).some(row => row.verify_token_hash === hash)
}
