import { NAMESPACE, splitEntryKey, typeStamp } from './key.ts'

/*
 * What an invalidation is aimed at, as a text: it is the name under which it waits in the outbox, and its line in the
 * journal. `k:` a full key, `s:` the stamp of a tag, a type or the namespace, `p:` a pattern, `d:` the full key of a
 * document, `flush` everybody's memory.
 */

/** Everybody must forget what they learned through the bus: a message could not be sent. */
export const FLUSH_TARGET = 'flush'

export interface Pattern {
  readonly glob: string
  /** Undefined: the pattern means `type:key` of every type. */
  readonly type: string | undefined
}

export const keyTarget = (full: string): string => `k:${full}`
export const documentTarget = (full: string): string => `d:${full}`
export const isDocumentTarget = (target: string): boolean => target.startsWith('d:')
export const stampTarget = (name: string): string => `s:${name}`
export const patternTarget = ({ glob, type }: Pattern): string =>
  `p:${JSON.stringify(type === undefined ? [glob] : [glob, type])}`

/** The same targets by kind. */
export interface Targets {
  readonly keys: readonly string[]
  readonly stamps: readonly string[]
  readonly patterns: readonly Pattern[]
  /** Full keys of documents. */
  readonly documents: readonly string[]
  readonly flush: boolean
}

const NO_TARGETS: Targets = { keys: [], stamps: [], patterns: [], documents: [], flush: false }

function readPattern(text: string): Pattern | undefined {
  try {
    const parts: unknown = JSON.parse(text)
    if (!Array.isArray(parts)) return undefined
    const [glob, type] = parts as unknown[]
    if (typeof glob !== 'string' || (type !== undefined && typeof type !== 'string')) return undefined
    return { glob, type }
  } catch {
    return undefined
  }
}

/** One target of a line; undefined for what this version does not know. */
function parse(target: string): Targets | undefined {
  if (target === FLUSH_TARGET) return { ...NO_TARGETS, flush: true }
  const rest = target.slice(2)
  if (target.startsWith('k:')) return { ...NO_TARGETS, keys: [rest] }
  if (isDocumentTarget(target)) return { ...NO_TARGETS, documents: [rest] }
  if (target.startsWith('s:')) return { ...NO_TARGETS, stamps: [rest] }
  const pattern = target.startsWith('p:') ? readPattern(rest) : undefined
  return pattern === undefined ? undefined : { ...NO_TARGETS, patterns: [pattern] }
}

/** What a target of unknown meaning stands for at most: the whole namespace. */
export function sortTargets(targets: Iterable<string>): Targets {
  const keys: string[] = []
  const stamps = new Set<string>()
  const patterns: Pattern[] = []
  const documents: string[] = []
  let flush = false
  for (const target of targets) {
    const one = parse(target) ?? { ...NO_TARGETS, stamps: [NAMESPACE] }
    keys.push(...one.keys)
    for (const name of one.stamps) stamps.add(name)
    patterns.push(...one.patterns)
    documents.push(...one.documents)
    flush ||= one.flush
  }
  return { keys, stamps: [...stamps], patterns, documents, flush }
}

/** The namespace's stamp kills whatever there is. */
export const WIDEST: string = stampTarget(NAMESPACE)

/** A target that kills all that this one does, and more: the type of a key, the namespace of anything else. Nothing is wider than a document. */
export function widened(namespace: string, target: string): string {
  if (isDocumentTarget(target)) return target
  if (!target.startsWith('k:')) return WIDEST
  const parts = splitEntryKey(namespace, target.slice(2))
  return parts === undefined ? WIDEST : stampTarget(typeStamp(parts.type))
}
