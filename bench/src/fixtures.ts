import { deepStrictEqual } from 'node:assert'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What one row of an application's answer looks like. */
export interface Person {
  readonly id: number
  readonly name: string
  readonly email: string
  readonly score: number
  readonly active: boolean
  readonly note: string
}

const WORDS =
  'amber basin cedar delta ember fjord grove haven inlet jetty knoll lagoon meadow north orchard prairie'.split(' ')

/** A seeded sequence, so that every run and every process has the same values. */
function sequence(seed: number): () => number {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

function person(next: () => number): Person {
  const word = (): string => WORDS[next() % WORDS.length] ?? ''
  const name = `${word()} ${word()}`
  const id = next() % 1_000_000
  return {
    id,
    name,
    email: `${word()}${id}@${word()}.example`,
    score: next() / 1000,
    active: next() % 2 === 0,
    note: `${word()} ${word()}`,
  }
}

/** An object whose JSON has about so many bytes: a page of rows, as compressible as such pages are. */
export function page(bytes: number, seed: number = 1): { readonly id: number; readonly rows: readonly Person[] } {
  const next = sequence(seed * 7919)
  const rows: Person[] = []
  let length = 20
  while (length < bytes - 60) {
    const row = person(next)
    rows.push(row)
    length += JSON.stringify(row).length + 1
  }
  return { id: seed, rows }
}

export type Page = ReturnType<typeof page>

export function small(id: number): { readonly id: number; readonly name: string } {
  return { id, name: `name ${id}` }
}

export type Small = ReturnType<typeof small>

/** A power of two, so that a loop picks a key with a mask. */
export const KEY_COUNT = 1024
export const KEYS: readonly string[] = Array.from({ length: KEY_COUNT }, (_none, i) => `user:${i}`)

/** Throws unless the answer is the expected value; a library may add a prototype or freeze, but not change it. */
export function expectSame(answer: unknown, expected: unknown, what: string): void {
  try {
    deepStrictEqual(structuredClone(answer), expected)
  } catch {
    throw new Error(`${what}: wrong answer ${JSON.stringify(answer)?.slice(0, 120)}`)
  }
}

/** Throws unless the answer says that nothing is there. */
export function expectNothing(answer: unknown, what: string): void {
  if (answer !== undefined && answer !== null)
    throw new Error(`${what}: expected nothing, got ${JSON.stringify(answer)?.slice(0, 120)}`)
}

/** A fresh directory, removed after `use`. */
export async function withDirectory<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'palier-bench-'))
  try {
    return await use(dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
