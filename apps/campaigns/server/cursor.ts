import { createHmac, timingSafeEqual } from 'node:crypto'
import { type RawBuilder, sql } from 'kysely'
import { badFields } from './problem.ts'
import { received } from './validation.ts'

/**
 * Keyset pagination: a cursor holds the sort values of the last row of a page, so the next page starts behind it
 * however many rows came or went meanwhile. It is signed together with the list and the filters it was made for: a
 * cursor is an address inside one list, and is refused anywhere else.
 */
export type Position = readonly (string | number)[]

export interface Cursors {
  write(list: string, position: Position): string
  /** Undefined when the request has no cursor; a 400 problem when it has one that was not made for this list. */
  read(list: string, cursor: string | undefined): Position | undefined
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Hand it back as `cursor` for the next page; null on the last one. */
  readonly next_cursor: string | null
}

const SIGNATURE_BYTES = 16

export function createCursors(secret: Buffer): Cursors {
  const sign = (list: string, payload: Buffer): Buffer =>
    createHmac('sha256', secret).update(`${list}\n`).update(payload).digest().subarray(0, SIGNATURE_BYTES)
  return {
    write(list, position) {
      const payload = Buffer.from(JSON.stringify(position))
      return Buffer.concat([sign(list, payload), payload]).toString('base64url')
    },
    read(list, cursor) {
      if (cursor === undefined) return undefined
      const bytes = Buffer.from(cursor, 'base64url')
      const payload = bytes.subarray(SIGNATURE_BYTES)
      const signature = bytes.subarray(0, SIGNATURE_BYTES)
      if (signature.length === SIGNATURE_BYTES && timingSafeEqual(signature, sign(list, payload))) {
        return JSON.parse(payload.toString()) as Position
      }
      const expected = 'the next_cursor of an answer to the same list with the same filters'
      throw badFields([{ field: 'query.cursor', expected, received: received(cursor) }])
    },
  }
}

/** Cuts a page out of rows read with one more than `limit`: that one only says whether there is a next page. */
export function cutPage<R, T>(
  rows: readonly R[],
  limit: number,
  next: (last: R) => string,
  shape: (row: R) => T,
): Page<T> {
  const kept = rows.slice(0, limit)
  const last = kept.at(-1)
  return { items: kept.map(shape), next_cursor: rows.length > limit && last !== undefined ? next(last) : null }
}

/**
 * The rows behind a position in a list that is sorted by a time and an id, both descending. The first half alone bounds
 * the range on an index: row values, which would say it shorter, are read from end to end by MySQL.
 */
export function behind(time: string, id: string, position: Position): RawBuilder<boolean> {
  const [at, last] = position
  return sql<boolean>`(${sql.ref(time)} <= ${at} and (${sql.ref(time)} < ${at} or ${sql.ref(id)} < ${last}))`
}
