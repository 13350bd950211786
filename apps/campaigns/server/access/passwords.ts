import { hash, verify } from '@node-rs/argon2'

/** Hashes of passwords: argon2id, computed outside the event loop. */
export interface Passwords {
  hash(password: string): Promise<string>
  /** False also for a hash that is none; takes as long either way. */
  verify(storedHash: string, password: string): Promise<boolean>
  /** Takes as long as a real check: whether an address is known must not be told by how long the answer takes. */
  pretend(password: string): Promise<false>
  /** Whether the hash was made at another cost than today's, and is to be made again when the password is known. */
  isOutdated(storedHash: string): boolean
}

/** KiB and passes, as OWASP recommends for argon2id (Password Storage Cheat Sheet, 2024). */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const

/** The same characters may arrive composed or not, by keyboard and system (NIST SP 800-63B, 5.1.1.2). */
const spelled = (password: string): string => password.normalize('NFKC')

export function createPasswords(cost: { readonly memoryCost: number; readonly timeCost: number } = COST): Passwords {
  const options = { ...COST, ...cost }
  const today = `$argon2id$v=19$m=${options.memoryCost},t=${options.timeCost},p=${options.parallelism}$`
  let decoy: Promise<string> | undefined
  const passwords: Passwords = {
    hash: password => hash(spelled(password), options),
    async verify(storedHash, password) {
      try {
        return await verify(storedHash, spelled(password))
      } catch {
        // Not a hash of ours: nobody's password matches it.
        return await passwords.pretend(password)
      }
    },
    async pretend(password) {
      decoy ??= hash('nobody has this password', options)
      await verify(await decoy, spelled(password))
      return false
    },
    isOutdated: storedHash => !storedHash.startsWith(today),
  }
  return passwords
}
