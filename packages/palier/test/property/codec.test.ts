import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalText, createCodec } from '../../src/codec.ts'
import { PalierError } from '../../src/errors.ts'
import { decodeRecord, encodeRecord, recordKey } from '../../src/record.ts'
import { DEFAULT_LIMITS, readValue, type Snapshot, takeSnapshot } from '../../src/snapshot.ts'
import { same } from '../support/same.ts'

const codec = createCodec(DEFAULT_LIMITS)
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('\uD800', '$', '$$', '__proto__', 'toJSON', ''),
)
const key = fc.oneof(text, fc.constantFrom('$', '$a', '__proto__', 'constructor', 'toJSON', '1', '-1'))
const bytes = fc.uint8Array({ maxLength: 40 })
const errorMakers = [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError]

/** Anything a cache may be given, twice: equal, and sharing nothing. */
const { value: supported } = fc.letrec(tie => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    tie('leaf'),
    tie('array'),
    tie('object'),
    tie('exotic'),
  ),
  leaf: fc.oneof(
    ...[text, fc.double(), fc.integer(), fc.bigInt(), fc.boolean()],
    fc.constantFrom(null, undefined, -0, Number.NaN, Number.POSITIVE_INFINITY),
  ),
  array: fc.oneof(
    fc.array(tie('value'), { maxLength: 6 }),
    fc.sparseArray(tie('value'), { maxLength: 8, maxNumElements: 4 }),
  ),
  object: fc.array(fc.tuple(key, tie('value')), { maxLength: 6 }).map(entries => Object.fromEntries(entries)),
  exotic: fc.oneof(
    fc.date({ noInvalidDate: false }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map(entries => new Map(entries)),
    fc.array(tie('value'), { maxLength: 4 }).map(elements => new Set(elements)),
    fc.constantFrom(/a/g, /[/\]]/u, /(?:)/).map(pattern => new RegExp(pattern.source, pattern.flags)),
    fc.webUrl().map(url => new URL(url)),
    bytes.map(data => Buffer.from(data)),
    bytes.map(data => Uint8Array.from(data).buffer),
    bytes.map(data => new DataView(Uint8Array.from(data).buffer)),
    ...[bytes, fc.int16Array({ maxLength: 9 }), fc.float64Array({ maxLength: 9 }), fc.bigUint64Array({ maxLength: 9 })],
    fc
      .tuple(fc.constantFrom(...errorMakers), fc.string(), fc.option(tie('value'), { nil: undefined }))
      .map(([make, message, cause]) => new make(message, cause === undefined ? undefined : { cause })),
  ),
}))

const HEAD = {
  createdAt: 1.5,
  ttl: 10,
  grace: 20,
  cost: 1,
  mark: 2,
  stamps: [{ name: 'tag', value: '0123456789abcdef' }],
}

async function throughBytes(snapshot: Snapshot, compressAbove: number | false): Promise<Snapshot> {
  const { payload, form, size } = await codec.encode(snapshot, { compressAbove })
  const record = decodeRecord(encodeRecord({ ...HEAD, key: 'k', form, size }, payload))
  if (record === undefined) throw new Error('not a record')
  return codec.decode(record.payload, record.form, record.size)
}

/** Changes all that can be changed in a tree, as a careless reader would. */
function wreck(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  if (ArrayBuffer.isView(value)) new Uint8Array(value.buffer).fill(7)
  else if (value instanceof ArrayBuffer) new Uint8Array(value).fill(7)
  else if (value instanceof Date) value.setTime(12_345)
  else if (value instanceof URL) value.pathname = '/wrecked'
  if (value instanceof Map) {
    for (const part of [...value].flat()) wreck(part)
    value.clear()
  } else if (value instanceof Set) {
    for (const part of value) wreck(part)
    value.clear()
  } else if (value instanceof Error) {
    wreck(value.cause)
    Reflect.set(value, 'message', 'wrecked')
  }
  if (ArrayBuffer.isView(value)) return
  for (const name of Object.keys(value)) {
    wreck(Object.getOwnPropertyDescriptor(value, name)?.value)
    Reflect.deleteProperty(value, name)
  }
  Reflect.set(value, 'wrecked', true)
}

describe('any supported value', () => {
  test('is the same from a miss, a near hit and a shared hit', async () => {
    await fc.assert(
      fc.asyncProperty(supported, fc.constantFrom<number | false>(false, 0), async (value, compressAbove) => {
        const snapshot = takeSnapshot(value, DEFAULT_LIMITS)
        const shared = await throughBytes(snapshot, compressAbove)
        expect(same(readValue(snapshot), value)).toBe(true)
        expect(same(readValue(shared), readValue(snapshot))).toBe(true)
        expect({ plain: shared.plain, size: shared.size }).toEqual({ plain: snapshot.plain, size: snapshot.size })
      }),
      { numRuns: 600 },
    )
  })

  test('cannot be changed for others by a reader, nor by the caller who gave it', async () => {
    await fc.assert(
      fc.asyncProperty(supported, async value => {
        const expected = readValue(await throughBytes(takeSnapshot(value, DEFAULT_LIMITS), false))
        const snapshot = takeSnapshot(value, DEFAULT_LIMITS)
        const shared = await throughBytes(snapshot, false)
        wreck(readValue(snapshot))
        wreck(readValue(shared))
        wreck(value)
        expect(same(readValue(snapshot), expected)).toBe(true)
        expect(same(readValue(shared), expected)).toBe(true)
      }),
      { numRuns: 800 },
    )
  })

  test('has a canonical text that only equal values share', () => {
    fc.assert(
      fc.property(supported, supported, (a, b) => {
        const copy = readValue(takeSnapshot(a, DEFAULT_LIMITS))
        expect(canonicalText(copy)).toBe(canonicalText(a))
        if (canonicalText(a) === canonicalText(b)) expect(same(sorted(a), sorted(b))).toBe(true)
      }),
      { numRuns: 1500 },
    )
  })
})

/** The order of keys is all that a canonical text leaves out. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (value instanceof Map) return new Map([...value].map(([name, entry]) => [sorted(name), sorted(entry)]))
  if (value instanceof Set) return new Set([...value].map(sorted))
  if (value instanceof Error) return [value.name, value.message, Object.hasOwn(value, 'cause'), sorted(value.cause)]
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, property]) => [name, sorted(property)]),
  )
}

describe('any bytes', () => {
  test('decode to a value, or are damaged: nothing else is thrown', async () => {
    const json = fc.json().map(source => Buffer.from(source))
    const framed = fc.tuple(fc.json(), bytes).map(([source, tail]) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(Buffer.byteLength(source))
      return Buffer.concat([length, Buffer.from(source), tail])
    })
    const payloads = fc.oneof(fc.uint8Array({ maxLength: 200 }), json, framed)
    await fc.assert(
      fc.asyncProperty(
        payloads,
        fc.integer({ min: 0, max: 9 }),
        fc.option(fc.nat(100_000)),
        async (payload, form, size) => {
          try {
            readValue(await codec.decode(payload, form, size ?? payload.length))
          } catch (error) {
            expect(error).toBeInstanceOf(PalierError)
            expect(error).toMatchObject({ code: 'PALIER_DAMAGED' })
          }
        },
      ),
      { numRuns: 3000 },
    )
  })

  test('one flipped byte of a payload is a value or damage, never anything else', async () => {
    await fc.assert(
      fc.asyncProperty(supported, fc.nat(), fc.integer({ min: 1, max: 255 }), async (value, at, flip) => {
        const { payload, form, size } = await codec.encode(takeSnapshot(value, DEFAULT_LIMITS), { compressAbove: 0 })
        const changed = Uint8Array.from(payload)
        const place = at % changed.length
        changed[place] = (changed[place] ?? 0) ^ flip
        try {
          readValue(await codec.decode(changed, form, size))
        } catch (error) {
          expect(error).toMatchObject({ code: 'PALIER_DAMAGED' })
        }
      }),
      { numRuns: 1500 },
    )
  })
})

describe('a record', () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  const value = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(n => n.toString(16).padStart(16, '0'))
  const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
  const span = fc.double({ min: 0, max: 1e15, noNaN: true }).map(Math.abs)
  const records = fc.tuple(
    fc.record({
      ...{ key: name, createdAt: span, ttl: span, grace: span, cost: u32, mark: u32, size: u32, writer: value },
      ...{ form: fc.integer({ min: 0, max: 255 }), stamps: fc.array(fc.record({ name, value }), { maxLength: 5 }) },
    }),
    fc.uint8Array({ maxLength: 100 }),
  )

  test('comes back whole', () => {
    fc.assert(
      fc.property(records, ([head, payload]) => {
        const { payload: read, ...rest } = decodeRecord(encodeRecord(head, payload)) ?? { payload: undefined }
        expect(rest).toEqual(head)
        expect(Uint8Array.from(read ?? [])).toEqual(payload)
      }),
    )
  })

  test('with any byte flipped, cut off anywhere, or with bytes added, is none', () => {
    fc.assert(
      fc.property(
        records,
        fc.integer({ min: 1, max: 255 }),
        fc.uint8Array({ minLength: 1, maxLength: 9 }),
        ([head, payload], flip, more) => {
          const record = encodeRecord(head, payload)
          for (let at = 0; at < record.length; at++) {
            const changed = Uint8Array.from(record)
            changed[at] = (changed[at] ?? 0) ^ flip
            expect(decodeRecord(changed)).toBeUndefined()
            expect(() => recordKey(changed)).not.toThrow()
            expect(decodeRecord(record.subarray(0, at))).toBeUndefined()
            expect(() => recordKey(record.subarray(0, at))).not.toThrow()
          }
          expect(decodeRecord(Buffer.concat([record, more]))).toBeUndefined()
        },
      ),
      // Each of them is tried at each of its bytes.
      { numRuns: 25 },
    )
  })

  test('made of any bytes, even with a right checksum, is none or whole, and never throws', async () => {
    const { crc32 } = await import('node:zlib')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300, size: 'max' }), data => {
        const forged = Buffer.concat([Buffer.from([0x50, 0x4c, 1, 0, 0, 0, 0, 0]), data])
        forged.writeUInt32BE(crc32(forged.subarray(8), crc32(forged.subarray(0, 4))), 4)
        for (const source of [data, forged]) {
          const read = decodeRecord(source)
          if (read !== undefined) expect(recordKey(source)).toBe(read.key)
        }
      }),
      { numRuns: 5000 },
    )
  })
})
