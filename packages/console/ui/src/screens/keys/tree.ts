import type { KeysAnswer } from '../../../../src/api.ts'

export type Listed = KeysAnswer['keys'][number]

/** Names one entry among those that were read. */
export const idOf = ({ type, key, subject = '' }: Listed): string => `${type}\u0000${key}\u0000${subject}`

/** Keys that begin alike, with what they come to together. */
export interface Branch {
  readonly id: string
  readonly type: string
  /** What its keys begin with; empty: all of the type. */
  readonly prefix: string
  readonly name: string
  readonly branches: readonly Branch[]
  readonly keys: readonly Listed[]
  readonly count: number
  readonly bytes: number
}

export type Row =
  | { readonly kind: 'branch'; readonly depth: number; readonly branch: Branch }
  | { readonly kind: 'key'; readonly depth: number; readonly item: Listed; readonly name: string }

/** Deeper than this, keys are listed with what is left of their names. */
const DEEPEST = 12

function grow(
  type: string,
  prefix: string,
  name: string,
  keys: readonly Listed[],
  delimiter: string,
  depth: number,
): Branch {
  const groups = new Map<string, Listed[]>()
  const own: Listed[] = []
  for (const item of keys) {
    const end = depth < DEEPEST ? item.key.indexOf(delimiter, prefix.length) : -1
    if (end === -1) {
      own.push(item)
      continue
    }
    const next = item.key.slice(prefix.length, end + delimiter.length)
    const group = groups.get(next)
    if (group === undefined) groups.set(next, [item])
    else group.push(item)
  }
  const branches = [...groups].map(([next, some]) => grow(type, prefix + next, next, some, delimiter, depth + 1))
  const bytes = keys.reduce((sum, item) => sum + item.bytes, 0)
  return { id: `${type}\u0000${prefix}`, type, prefix, name, branches, keys: own, count: keys.length, bytes }
}

/** One branch for each type, and in it one for each part of a key that ends with the delimiter. */
export function treeOf(keys: readonly Listed[], delimiter: string): readonly Branch[] {
  const byType = new Map<string, Listed[]>()
  for (const item of keys) {
    const some = byType.get(item.type)
    if (some === undefined) byType.set(item.type, [item])
    else some.push(item)
  }
  return [...byType].map(([type, some]) => grow(type, '', type, some, delimiter, 0))
}

/** What is seen of the tree: the branches, and what lies in those that are open. */
export function rowsOf(branches: readonly Branch[], isOpen: (id: string) => boolean, depth = 0): readonly Row[] {
  const rows: Row[] = []
  for (const branch of branches) {
    rows.push({ kind: 'branch', depth, branch })
    if (!isOpen(branch.id)) continue
    rows.push(...rowsOf(branch.branches, isOpen, depth + 1))
    for (const item of branch.keys) {
      rows.push({ kind: 'key', depth: depth + 1, item, name: item.key.slice(branch.prefix.length) || item.key })
    }
  }
  return rows
}

export const flatRows = (keys: readonly Listed[]): readonly Row[] =>
  keys.map(item => ({ kind: 'key', depth: 0, item, name: item.key }))

/** What is looked for among the keys that were read; empty texts ask for nothing. */
export interface Narrowing {
  readonly tag: string
  readonly state: string
  /** Kilobytes. */
  readonly larger: string
  /** Minutes. */
  readonly within: string
}

/** A number above 0 as it is typed, also with a comma; undefined for anything else. */
function amountOf(text: string): number | undefined {
  const value = Number(text.trim().replace(',', '.'))
  return Number.isFinite(value) && value > 0 ? value : undefined
}

export function narrowed(keys: readonly Listed[], { tag, state, larger, within }: Narrowing): readonly Listed[] {
  const bytes = (amountOf(larger) ?? 0) * 1000
  const ms = (amountOf(within) ?? Number.POSITIVE_INFINITY) * 60_000
  const asked = tag.trim()
  if (asked === '' && state === '' && bytes === 0 && ms === Number.POSITIVE_INFINITY) return keys
  return keys.filter(
    item =>
      (asked === '' || item.tags.includes(asked)) &&
      (state === '' || item.state === state) &&
      item.bytes > bytes &&
      (ms === Number.POSITIVE_INFINITY || item.ttl <= ms),
  )
}

/** A pattern that takes this text as it is. */
export const literally = (text: string): string => text.replaceAll(/[*?\\]/g, found => `\\${found}`)

/** What somebody typed as a pattern: without a wildcard it may stand anywhere in the name. */
export function patternOf(text: string): string {
  const asked = text.trim()
  return asked === '' || /[*?\\]/.test(asked) ? asked : `*${asked}*`
}

/** One key as a parameter of the place, and back. */
export const openedText = (type: string, key: string): string => `${encodeURIComponent(type)}:${key}`
export function openedOf(text: string): { readonly type: string; readonly key: string } | undefined {
  const at = text.indexOf(':')
  if (at < 1) return undefined
  try {
    return { type: decodeURIComponent(text.slice(0, at)), key: text.slice(at + 1) }
  } catch {
    // Somebody wrote the address by hand.
    return undefined
  }
}
