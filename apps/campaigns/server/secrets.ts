import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Keys derived from the one secret of the installation, each for one purpose. */
export interface Secrets {
  /** AES-256-GCM with a nonce of its own each time; text in, printable text out. */
  encrypt(text: string): string
  /** Throws when the text was not made with this secret. */
  decrypt(text: string): string
  /** Signs the cookies of sessions. */
  readonly sessionKey: string
  /** What `POST /internal/tick` asks for. */
  readonly tickToken: string
  /** The simulator's token, app secret and verify token. */
  readonly simulatorKey: string
}

/** What random tokens are stored as: whoever reads the table cannot use them. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

/** 256 random bits, as text that fits a URL. */
export function randomToken(): string {
  return randomBytes(32).toString('base64url')
}

/**
 * The secret given, or one that is made once and kept in the data directory, readable by its owner alone. Processes
 * that start together agree on one: the first to link its file wins.
 */
export function readSecret(given: string | undefined, dataDir: string): string {
  if (given !== undefined) return given
  const file = join(dataDir, 'secret')
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw error
  }
  mkdirSync(dataDir, { recursive: true })
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  writeFileSync(draft, randomToken(), { mode: 0o600, flag: 'wx' })
  try {
    linkSync(draft, file)
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error
  } finally {
    rmSync(draft, { force: true })
  }
  return readFileSync(file, 'utf8')
}

const NONCE_BYTES = 12
const TAG_BYTES = 16

export function createSecrets(secret: string): Secrets {
  const derive = (purpose: string): Buffer => Buffer.from(hkdfSync('sha256', secret, 'campaigns', purpose, 32))
  const key = derive('encrypt')
  return {
    encrypt(text) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, nonce)
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url')
    },
    decrypt(text) {
      const bytes = Buffer.from(text, 'base64url')
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES))
      decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
      return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString(
        'utf8',
      )
    },
    sessionKey: derive('session').toString('base64url'),
    tickToken: derive('tick').toString('base64url'),
    simulatorKey: derive('simulator').toString('base64url'),
  }
}
