import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { decodeRecord, encodeRecord, RECORD_HEAD, type RecordHead, recordHead, recordKey } from '../../src/record.ts'

const HEAD: RecordHead = {
  key: 'shop:e:product:42',
  createdAt: 1_700_000_000_000.5,
  ttl: 60_000,
  grace: 5_000,
  cost: 12,
  mark: 3,
  form: 1,
  size: 5,
  writer: '0123456789abcdef',
  stamps: [{ name: 'tag:ação', value: '0123456789abcdef' }],
}
const PAYLOAD = Buffer.from('hello')

/** Bytes changed by someone who can compute a checksum. */
function forged(change: (bytes: Buffer) => Buffer | undefined): Buffer {
  const source = encodeRecord(HEAD, PAYLOAD)
  const bytes = change(source) ?? source
  bytes.writeUInt32BE(crc32(bytes.subarray(8), crc32(bytes.subarray(0, 4))), 4)
  return bytes
}

describe('a record', () => {
  test('comes back as it was written', () => {
    const { payload, ...head } = decodeRecord(encodeRecord(HEAD, PAYLOAD)) ?? { payload: undefined }
    expect(head).toEqual(HEAD)
    expect(Buffer.from(payload ?? []).toString()).toBe('hello')
  })

  test('need not say who wrote it', () => {
    const { writer: _, ...head } = HEAD
    expect(decodeRecord(encodeRecord(head, PAYLOAD))?.writer).toBe('0000000000000000')
  })

  test('is read from a window of a larger array', () => {
    const bytes = encodeRecord(HEAD, PAYLOAD)
    const room = new Uint8Array(bytes.length + 20)
    room.set(bytes, 7)
    expect(decodeRecord(room.subarray(7, 7 + bytes.length))?.key).toBe(HEAD.key)
    expect(recordKey(room.subarray(7, 7 + bytes.length))).toBe(HEAD.key)
  })

  test.each([65_534, 65_535, 65_536, 200_000])('may have a key of %i bytes', length => {
    const key = 'k'.repeat(length)
    const bytes = encodeRecord({ ...HEAD, key }, PAYLOAD)
    expect(decodeRecord(bytes)?.key === key).toBe(true)
    expect(recordKey(bytes) === key).toBe(true)
  })

  test('has a head that differs when the record does', () => {
    const one = encodeRecord(HEAD, PAYLOAD)
    const other = encodeRecord({ ...HEAD, ttl: 1 }, PAYLOAD)
    expect(recordHead(one)).toEqual(one.subarray(RECORD_HEAD.start, RECORD_HEAD.end))
    expect(Buffer.compare(recordHead(one), recordHead(other))).not.toBe(0)
  })

  test.each([Number.NaN, -5, Number.POSITIVE_INFINITY, 1e300])(
    'takes a cost of %d as the nearest it can hold',
    cost => {
      const read = decodeRecord(encodeRecord({ ...HEAD, cost }, PAYLOAD))
      expect(read?.cost).toBe(cost > 0 ? 0xffff_ffff : 0)
    },
  )
})

describe('what does not fit into a record is refused', () => {
  const stamp = { name: 'a', value: '0'.repeat(16) }
  const stamps = (length: number) => Array.from({ length }, () => stamp)
  test.each<[string, Partial<RecordHead>, string]>([
    ['a tag above 65,535 bytes', { stamps: [{ ...stamp, name: 'é'.repeat(32_768) }] }, 'PALIER_BAD_KEY'],
    ['more than 65,535 stamps', { stamps: stamps(65_536) }, 'PALIER_TOO_LARGE'],
    ['a mark above 32 bits', { mark: 2 ** 32 }, 'PALIER_TOO_LARGE'],
    ['a negative mark', { mark: -1 }, 'PALIER_TOO_LARGE'],
    ['a size above 32 bits', { size: 2 ** 32 }, 'PALIER_TOO_LARGE'],
    ['a form above 8 bits', { form: 256 }, 'PALIER_BAD_OPTION'],
    ['a short stamp', { stamps: [{ ...stamp, value: '00' }] }, 'PALIER_BAD_OPTION'],
    ['a stamp that is not hexadecimal', { stamps: [{ ...stamp, value: 'x'.repeat(16) }] }, 'PALIER_BAD_OPTION'],
    ['a writer that is not hexadecimal', { writer: 'nobody' }, 'PALIER_BAD_OPTION'],
    ['a time that is none', { createdAt: Number.NaN }, 'PALIER_BAD_OPTION'],
    ['an endless ttl', { ttl: Number.POSITIVE_INFINITY }, 'PALIER_BAD_OPTION'],
    ['a negative grace', { grace: -1 }, 'PALIER_BAD_OPTION'],
  ])('%s', (_, change, code) => {
    expect(() => encodeRecord({ ...HEAD, ...change }, PAYLOAD)).toThrow(expect.objectContaining({ code }))
  })

  test('the longest tag and the most stamps fit', () => {
    const long = encodeRecord({ ...HEAD, stamps: [{ ...stamp, name: 'x'.repeat(65_535) }] }, PAYLOAD)
    expect(decodeRecord(long)?.stamps[0]?.name.length).toBe(65_535)
    const many = encodeRecord({ ...HEAD, stamps: stamps(65_535) }, PAYLOAD)
    expect(decodeRecord(many)?.stamps.length).toBe(65_535)
  })
})

describe('bytes that lie with a right checksum are no record', () => {
  test.each<[string, (bytes: Buffer) => Buffer | undefined]>([
    ['a key beyond the end', bytes => void bytes.writeUInt16BE(0xfffe, 44)],
    ['a long key beyond the end', bytes => void bytes.writeUInt16BE(0xffff, 44)],
    ['a long key whose length is cut off', bytes => (bytes.writeUInt16BE(0xffff, 44), bytes.subarray(0, 58))],
    ['stamps that are not there', bytes => void bytes.writeUInt16BE(0xffff, 46)],
    ['a stamp name beyond the end', bytes => void bytes.writeUInt16BE(0xffff, 56 + HEAD.key.length)],
    ['a stamp cut off before its value', bytes => bytes.subarray(0, bytes.length - PAYLOAD.length - 1)],
    ['another version', bytes => void bytes.writeUInt8(3, 2)],
    ['a time that is none', bytes => void bytes.writeDoubleBE(Number.NaN, 8)],
    ['a negative ttl', bytes => void bytes.writeDoubleBE(-1, 16)],
    ['an endless grace', bytes => void bytes.writeDoubleBE(Number.POSITIVE_INFINITY, 24)],
  ])('%s', (_, change) => {
    const bytes = forged(change)
    expect(decodeRecord(bytes)).toBeUndefined()
    expect(() => recordKey(bytes)).not.toThrow()
  })

  test('the forger of these tests makes valid records when it changes nothing', () => {
    expect(decodeRecord(forged(() => undefined))?.key).toBe(HEAD.key)
  })
})
