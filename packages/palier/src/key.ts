import { PalierError, shown } from './errors.ts'

/** Prefixes of other software that often shares a Redis: no key, pattern or namespace may reach them. */
export const PROTECTED_PREFIXES: readonly string[] = ['whatsapp:', 'campaign:', 'celery', 'bull:']

const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/

/**
 * Throws PALIER_BAD_KEY unless `name` is a text of at least one character that can be written as UTF-8: a lone
 * surrogate would be replaced, and two different names would meet.
 */
export function checkName(what: string, name: unknown): asserts name is string {
  if (typeof name !== 'string' || name.length === 0) {
    throw new PalierError('PALIER_BAD_KEY', `${what}: expected a non-empty string, received ${shown(name)}`)
  }
  if (LONE_SURROGATE.test(name)) {
    throw new PalierError('PALIER_BAD_KEY', `${what}: expected well-formed Unicode, received a lone surrogate`, {
      key: name,
    })
  }
}

/** Throws PALIER_PROTECTED when `name` lies under a protected prefix. */
export function checkUnprotected(what: string, name: string, prefixes: readonly string[]): void {
  for (const prefix of prefixes) {
    if (name.startsWith(prefix)) {
      throw new PalierError('PALIER_PROTECTED', `${what} ${shown(name)} lies under the protected prefix "${prefix}"`, {
        key: name,
      })
    }
  }
}

/** A text that holds no `:`, different for any two texts: what stands before a `:` in a longer name. */
export function part(text: string): string {
  return text.includes(':') || text.includes('%') ? text.replace(/%/g, '%25').replace(/:/g, '%3A') : text
}

/** Where everything of a namespace begins; no namespace's prefix is the start of another's. */
export function namespacePrefix(namespace: string): string {
  return `${part(namespace)}:`
}

/** Where the entries of a namespace begin, or those of one of its types. */
export function entryPrefix(namespace: string, type?: string): string {
  return `${part(namespace)}:e:${type === undefined ? '' : `${part(type)}:`}`
}

/** What a shared store knows an entry by. Injective: all parts but the last are escaped, so `:` ends them. */
export function entryKey(namespace: string, type: string, id: string): string {
  return `${part(namespace)}:e:${part(type)}:${id}`
}

/** The type and the id an entry's full key names, whether this process knows the type or not; undefined for no entry of the namespace. */
export function splitEntryKey(
  namespace: string,
  full: string,
): { readonly type: string; readonly id: string } | undefined {
  const prefix = entryPrefix(namespace)
  if (!full.startsWith(prefix)) return undefined
  const end = full.indexOf(':', prefix.length)
  if (end < 0) return undefined
  const type = full.slice(prefix.length, end).replace(/%(25|3A)/g, (_all, hex) => (hex === '25' ? '%' : ':'))
  return { type, id: full.slice(end + 1) }
}

/** What a shared store knows a stamp by; never equal to an entry's key. */
export function stampKey(namespace: string, name: string): string {
  return `${part(namespace)}:s:${name}`
}

/** What a shared store knows a document by; never equal to the key of an entry or a stamp. */
export function documentKey(namespace: string, name: string, id: string): string {
  return `${part(namespace)}:d:${part(name)}:${id}`
}

/**
 * The name of an entry inside its type: the subject it belongs to, then the key. Entries without a subject and
 * entries of one can never meet, whatever the texts are.
 */
export function entryId(key: string, subject?: string): string {
  return subject === undefined ? `:${key}` : `${part(subject)}:${key}`
}

/** The key inside an id made by `entryId`. */
export function keyOf(id: string): string {
  return id.slice(id.indexOf(':') + 1)
}

/** What people, patterns and protected prefixes see: `type:key`, or the key alone for the default type. */
export function logicalKey(type: string, key: string): string {
  return type === '' ? key : `${type}:${key}`
}

/**
 * Whether `text` matches a pattern of `*` (any characters), `?` (one character) and `\` (the next one literally).
 * Linear backtracking to the last star only, so no pattern can be made slow.
 */
export function matchesGlob(glob: string, name: string): boolean {
  // Whole characters, so that `?` stands for an emoji too.
  const pattern = Array.from(glob)
  const text = Array.from(name)
  let p = 0
  let t = 0
  let star = -1
  let mark = 0
  while (t < text.length) {
    const c = pattern[p]
    const literal = c === '\\' && p + 1 < pattern.length
    if (c === '*') {
      star = p++
      mark = t
    } else if (c !== undefined && (literal ? pattern[p + 1] === text[t] : c === '?' || c === text[t])) {
      p += literal ? 2 : 1
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++mark
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

/** What the stamps of the namespace, of a type and of a tag are called. */
export const NAMESPACE = 'ns'
export const typeStamp = (type: string): string => `t:${type}`
export const tagStamp = (tag: string): string => `g:${tag}`

/** What a stamp stands for, from its name. */
export function stampTarget(name: string): { readonly target: 'tag' | 'type' | 'all'; readonly name?: string } {
  if (name === NAMESPACE) return { target: 'all' }
  return { target: name.startsWith('g:') ? 'tag' : 'type', name: name.slice(2) }
}
