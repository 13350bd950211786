import { createHash } from 'node:crypto'
import { parsePhoneNumberFromString } from 'libphonenumber-js/min'

/** Somebody who has WhatsApp, seen by this business: always a business-scoped user id, and a phone unless it is hidden. */
export interface Person {
  /** Business-scoped: `FR.` and digits. Always the same for the same phone. */
  readonly userId: string
  /** Digits, without the plus; what Meta calls `wa_id`. */
  readonly phone?: string
  readonly name: string
}

const NAMES = [
  'Amélie Durand',
  'Noé Lefèvre',
  'Inès Garçon',
  'Zoë 🌻',
  'Łukasz Nowak',
  'Maria José',
  'Yusuf Öztürk',
  'Chloé',
]

function digest(text: string): bigint {
  return createHash('sha256').update(text).digest().readBigUInt64BE()
}

function nameOf(userId: string): string {
  return NAMES[Number(digest(`name ${userId}`) % BigInt(NAMES.length))] ?? 'Chloé'
}

export function digitsOf(phone: string): string {
  return phone.replace(/\D/g, '')
}

export function personOfPhone(phone: string, name?: string): Person {
  const digits = digitsOf(phone)
  const country = parsePhoneNumberFromString(`+${digits}`)?.country ?? 'US'
  const userId = `${country}.${digest(`user ${digits}`).toString().padStart(20, '1')}`
  return { userId, phone: digits, name: name ?? nameOf(userId) }
}

export function personOfUserId(userId: string, name?: string): Person {
  return { userId, name: name ?? nameOf(userId) }
}

/** The same person, whose phone this business does not get to see. */
export function hidden({ userId, name }: Person): Person {
  return { userId, name }
}

/** 0 to 99: the last two digits of the phone, or a fixed number for an id. */
export function lastTwo({ phone, userId }: Person): number {
  return phone === undefined ? Number(digest(userId) % 100n) : Number(phone.slice(-2))
}
