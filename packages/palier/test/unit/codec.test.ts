import { readFileSync } from 'node:fs'
import { constants, deflateRawSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { canonicalText, createCodec, type Encoded } from '../../src/codec.ts'
import { decodeRecord } from '../../src/record.ts'
import { DEFAULT_LIMITS, readValue, takeSnapshot } from '../../src/snapshot.ts'
import { GOLDEN_HEAD, GOLDEN_VALUES } from '../support/golden.ts'
import { same, withHoles } from '../support/same.ts'

const codec = createCodec(DEFAULT_LIMITS)
const encode = async (value: unknown, compressAbove: number | false = 1024): Promise<Encoded> =>
  codec.encode(takeSnapshot(value, DEFAULT_LIMITS), { compressAbove })
const decode = async (payload: Uint8Array, form: number, size = payload.length): Promise<unknown> =>
  readValue(await codec.decode(payload, form, size))
const there = async (value: unknown): Promise<unknown> => {
  const { payload, form, size } = await encode(value)
  return decode(payload, form, size)
}
const refusal = async (payload: Uint8Array, form: number, size = payload.length): Promise<void> => {
  await expect(decode(payload, form, size)).rejects.toMatchObject({ code: 'PALIER_DAMAGED' })
}

function tagged(json: unknown, blobs: Uint8Array = Buffer.alloc(0)): Buffer {
  const text = Buffer.from(typeof json === 'string' ? json : JSON.stringify(json))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(text.length)
  return Buffer.concat([length, text, blobs])
}

describe('the form of a payload', () => {
  test('is JSON and nothing else for a plain value', async () => {
    const { payload, form, size } = await encode({ a: [1, 'ü', null] })
    expect(Buffer.from(payload).toString()).toBe('{"a":[1,"ü",null]}')
    expect({ form, size }).toEqual({ form: 0, size: payload.length })
  })

  test('is tagged for any other', async () => {
    const { payload, form } = await encode({ a: undefined, b: Buffer.from('xyz') })
    expect(form).toBe(1)
    expect(Buffer.from(payload).subarray(4).toString()).toBe('{"a":{"$":["undefined"]},"b":{"$":["Buffer",3]}}xyz')
  })

  test('costs a few bytes, not a third, for binary data', async () => {
    expect((await encode(Buffer.alloc(9000, 1), false)).payload.length).toBeLessThan(9050)
  })

  test.each([
    ['at once', 'x'.repeat(5000)],
    ['in the thread pool', 'x'.repeat(500_000)],
  ])('is deflated above the size asked for, %s', async (_, text) => {
    const { payload, form, size } = await encode(text)
    expect(form).toBe(2)
    expect(size).toBe(text.length + 2)
    expect(payload.length).toBeLessThan(size / 10)
    expect((await decode(payload, form, size)) === text).toBe(true)
  })

  test('is not deflated at the size, when told not to, or when that saves less than a tenth', async () => {
    const text = 'x'.repeat(2000)
    expect((await encode(text, 2002)).form).toBe(0)
    expect((await encode(text, 2001)).form).toBe(2)
    expect((await encode(text, false)).form).toBe(0)
    const noise = Uint8Array.from({ length: 20_000 }, (_, i) => (Math.imul(i + 1, 2_654_435_761) ^ (i * i)) >>> 11)
    expect((await encode(crypto.getRandomValues(noise))).form).toBe(1)
  })

  test('is refused above the limit, also when it grew only by being written', async () => {
    const control = '\u0000'.repeat(2 * 1024 * 1024)
    await expect(encode(control)).rejects.toMatchObject({ code: 'PALIER_TOO_LARGE' })
  })
})

describe('values come back as they went', () => {
  const array = withHoles(9, { 1: 1, 3: undefined, 4: null, 5: -0, 6: Number.NaN, 7: Number.NEGATIVE_INFINITY })
  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['holes', array],
    ['numbers', [-0, 5e-324, Number.MAX_VALUE, 2 ** 53, 0.1]],
    ['big integers', [0n, -1n, 2n ** 64n, -(16n ** 300n)]],
    ['dates', [new Date(0), new Date(-1), new Date(Number.NaN)]],
    [
      'maps and sets',
      new Map<unknown, unknown>([
        [new Map([[1, new Set([[]])]]), undefined],
        [undefined, -0],
        [Number.NaN, 1],
      ]),
    ],
    ['patterns and urls', [/[/\]\n]/dgimsuy, new RegExp('[a&&b]', 'v'), new URL('http://ü.example/%20?#')]],
    ['errors', [new Error(''), new RangeError('x', { cause: undefined }), new Error('y', { cause: new Map() })]],
    [
      'binary data',
      [
        Buffer.from('a'),
        new Uint8Array(0),
        new Float32Array([1.5]),
        new DataView(new ArrayBuffer(3)),
        new ArrayBuffer(2),
      ],
    ],
    ['texts', ['\uD800', '\uDC00x', '\u2028', '😀', '\u0000"\\']],
    ['what looks like a tag', { $: ['undefined'], $$: { $: ['Date', 0] }, $x: 1, a: [{ $: ['hole'] }], u: undefined }],
    ['keys of prototypes', [JSON.parse('{"__proto__":{"a":1},"constructor":1,"toJSON":2,"$":3}'), undefined]],
    ['a plain value', { __proto: 1, b: [[], {}], 2: 'two', 1: 'one' }],
  ])('%s', async (_, value) => {
    expect(same(await there(value), readValue(takeSnapshot(value, DEFAULT_LIMITS)))).toBe(true)
    expect(same(await there(value), value)).toBe(true)
  })

  test('with a __proto__ that is a key and no prototype, also in the tagged form', async () => {
    for (const extra of [{}, { at: new Date(0) }, { $dollar: undefined }]) {
      const value = (await there({ ...JSON.parse('{"__proto__":{"admin":true}}'), ...extra })) as object
      expect(Object.hasOwn(value, '__proto__')).toBe(true)
      expect('admin' in value).toBe(false)
    }
  })

  test('with the size they had, so that a budget counts alike on both ways', async () => {
    for (const value of [
      { a: ['ü'.repeat(500), 1.5, true] },
      { a: new Map([['k', [undefined, 5n]]]), b: Buffer.alloc(99) },
    ]) {
      const snapshot = takeSnapshot(value, DEFAULT_LIMITS)
      const { payload, form, size } = await codec.encode(snapshot, { compressAbove: 10 })
      expect((await codec.decode(payload, form, size)).size).toBe(snapshot.size)
    }
  })

  test('frozen when they are plain', async () => {
    const value = (await there({ a: [{ b: 1 }] })) as { a: object[] }
    expect([value, value.a, value.a[0]].every(Object.isFrozen)).toBe(true)
  })
})

describe('damaged payloads', () => {
  test.each([4, 6, 8, 128, 255, -1, 1.5, Number.NaN])('of the unknown form %d', async form => {
    await refusal(Buffer.from(form === 1.5 ? 'x' : '1'), form)
  })

  test.each([-1, 0.5, Number.NaN, 2 ** 32, DEFAULT_LIMITS.maxBytes + 1, 1, 3])(
    'with a declared size of %d',
    async size => {
      await refusal(Buffer.from('12'), 0, size)
      await refusal(deflateRawSync('12'.repeat(500)), 2, size)
    },
  )

  test.each(['', '{', '{"a":1}x', 'undefined', '\uFEFF1', "{'a':1}"])('that are no JSON: %j', async text => {
    await refusal(Buffer.from(text), 0)
    await refusal(tagged(text), 1)
  })

  test('that are not UTF-8', async () => {
    await refusal(Buffer.from('"\xe9"', 'latin1'), 0)
    await refusal(tagged(1).fill(0xff, 4), 1)
  })

  test.each<[unknown]>([
    [{ $: [] }],
    [{ $: 1 }],
    [{ $: ['undefined'], a: 1 }],
    [{ $: ['undefined', 1] }],
    [{ $: ['hole'] }],
    [{ a: { $: ['hole'] } }],
    [{ $: ['Set', { $: ['hole'] }] }],
    [{ $: ['Error', 'm', null, { $: ['hole'] }] }],
    [{ $a: 1 }],
    [{ $: ['constructor', 1] }],
    [{ $: ['toString', 1] }],
    [{ $: ['__proto__', 1] }],
    [{ $: ['number', '1'] }],
    [{ $: ['bigint', '0x1'] }],
    [{ $: ['bigint', ''] }],
    [{ $: ['bigint', 1] }],
    [{ $: ['Date', 'x'] }],
    [{ $: ['RegExp', '(', ''] }],
    [{ $: ['RegExp', 'a', 'zz'] }],
    [{ $: ['URL', 'nonsense'] }],
    [{ $: ['Map', 1] }],
    [{ $: ['Error', 1, null] }],
    [{ $: ['Error', 'x'] }],
    [{ $: ['Uint8Array', 1] }],
    [{ $: ['Uint8Array', -1] }],
    [{ $: ['Uint8Array', 0.5] }],
    [{ $: ['Uint8Array', 1e300] }],
    [{ $: ['Uint8Array', null] }],
  ])('with a tag that is none: %j', async json => {
    await refusal(tagged(json), 1)
  })

  test('whose binary data is too long, too short, or does not fit its kind', async () => {
    const bytes = Buffer.from('abcdef')
    expect(
      same(await decode(tagged({ $: ['Uint16Array', 6] }, bytes), 1), new Uint16Array(Uint8Array.from(bytes).buffer)),
    ).toBe(true)
    await refusal(tagged({ $: ['Uint16Array', 5] }, bytes.subarray(0, 5)), 1)
    await refusal(tagged({ $: ['Buffer', 5] }, bytes), 1)
    await refusal(tagged({ $: ['Buffer', 7] }, bytes), 1)
    await refusal(tagged([1], bytes), 1)
    await refusal(Buffer.from([0, 0, 0, 9, 0x31]), 1)
    await refusal(Buffer.from([0, 0]), 1)
  })

  test('that are cut short or no deflate stream', async () => {
    for (const text of ['x'.repeat(5000), 'x'.repeat(300_000)]) {
      const { payload, form, size } = await encode(text)
      await refusal(payload.subarray(0, payload.length - 3), form, size)
      await refusal(Buffer.alloc(50, 0xff), form, size)
      await refusal(payload, form, size - 1)
      await refusal(payload, form, size + 1)
    }
  })
})

describe('bombs', () => {
  test('200 MiB in a few hundred kilobytes are refused quickly, whatever the declared size', async () => {
    const bomb = deflateRawSync(Buffer.alloc(200 * 1024 * 1024), {
      level: 9,
      memLevel: 9,
      strategy: constants.Z_DEFAULT_STRATEGY,
    })
    const started = performance.now()
    for (const size of [1000, 60_000, bomb.length + 1, 1024 * 1024, DEFAULT_LIMITS.maxBytes, 200 * 1024 * 1024])
      await refusal(bomb, 2, size)
    expect(performance.now() - started).toBeLessThan(2000)
  })

  test('a stream that is longer than what it holds is refused unread', async () => {
    const text = JSON.stringify('x'.repeat(4000))
    const nothing = Buffer.from([0, 0, 0, 0xff, 0xff])
    const stream = (blocks: number): Buffer =>
      Buffer.concat([...Array.from({ length: blocks }, () => nothing), deflateRawSync(text)])
    expect(await decode(stream(1), 2, text.length)).toBe(JSON.parse(text))
    await refusal(stream(100_000), 2, text.length)
  })

  test.each([100_000, 2_000_000])('%i levels of nesting overflow no stack', async levels => {
    await refusal(Buffer.from('['.repeat(levels) + ']'.repeat(levels)), 0)
    await refusal(Buffer.from('{"a":'.repeat(levels / 2) + '1' + '}'.repeat(levels / 2)), 0)
    await refusal(tagged('['.repeat(levels) + ']'.repeat(levels)), 1)
    await refusal(tagged('{"$":["Set",'.repeat(levels / 4) + '1' + ']}'.repeat(levels / 4)), 1)
  })

  test('a value at the limit of depth passes both ways', async () => {
    let plain: unknown = 1
    let other: unknown = 1n
    for (let i = 0; i < DEFAULT_LIMITS.maxDepth; i++) {
      plain = [plain]
      other = new Map([[1, other]])
    }
    expect(same(await there(plain), plain)).toBe(true)
    expect(same(await there(other), other)).toBe(true)
  })
})

describe('canonicalText', () => {
  test('is the same whatever the order of keys', () => {
    expect(canonicalText({ b: 1, a: { d: 1, c: 2 } })).toBe(canonicalText({ a: { c: 2, d: 1 }, b: 1 }))
    expect(canonicalText([1, 'a', { b: [true, null] }])).toBe('[1,"a",{"b":[true,null]}]')
  })

  test('differs for any two of these', () => {
    const values: unknown[] = [
      ...[1, '1', 1n, true, 'true', null, 'null', undefined, 'undefined', 0, -0, Number.NaN, 'NaN', 10, 0x10n, 10n],
      ...[
        [],
        [[]],
        [1, 2],
        ['1', '2'],
        ['1,2'],
        [1, [2]],
        [[1], 2],
        [undefined],
        withHoles(1, {}),
        [null],
        '[]',
        withHoles(2, {}),
        '',
      ],
      ...[
        {},
        { a: 1 },
        { a: '1' },
        { a: undefined },
        { 'a:1': 1 },
        { a: 1, b: 2 },
        new Map([['a', 1]]),
        new Map(),
        new Set(),
      ],
      ...[
        new Map([[1, 2]]),
        new Set([1, 2]),
        new Set([2, 1]),
        new Map<unknown, unknown>([[[1, 2], 3]]),
        new Map<unknown, unknown>([[1, [2, 3]]]),
      ],
      ...[new Date(0), new Date(1), new Date(Number.NaN), '1970-01-01T00:00:00.000Z', /a/, /a/g, new URL('a:b'), 'a:b'],
      ...[Buffer.from('a'), new Uint8Array([97]), new Int8Array([97]), new Uint8Array([97]).buffer, new Uint8Array(0)],
      ...[
        new Error('a'),
        new TypeError('a'),
        new Error('a', { cause: undefined }),
        new Error('a', { cause: 1 }),
        new Error('b'),
      ],
      ...['\uD800', '\uFFFD', '\uDC00', '"', '\\'],
    ]
    const texts = values.map(value => canonicalText(value))
    expect(texts.filter((text, i) => texts.indexOf(text) !== i)).toEqual([])
  })

  test('refuses what has no such text, with its path', () => {
    expect(() => canonicalText([{ run: () => 1 }], 'arguments')).toThrow(
      expect.objectContaining({ code: 'PALIER_NOT_ENCODABLE', message: expect.stringContaining('arguments[0].run: ') }),
    )
  })
})

describe('records as earlier versions wrote them', () => {
  const golden = (name: string): Buffer => readFileSync(new URL(`../golden/${name}.bin`, import.meta.url))

  const VERSION_1 = ['plain', 'plain-deflated', 'tagged', 'tagged-deflated']
  test.each([
    ...VERSION_1.map(name => ['1', name, name, '0000000000000000'] as const),
    ...['plain', 'tagged-deflated'].map(name => ['2', name, `v2-${name}`, '00112233445566ff'] as const),
  ])('version %s: %s', async (_version, name, file, writer) => {
    const record = decodeRecord(golden(file))
    if (record === undefined) throw new Error('not a record')
    const { key, stamps, mark, ttl, grace, cost, createdAt } = record
    expect(record.writer).toBe(writer)
    expect({ key, stamps, mark, ttl, grace, cost, createdAt }).toEqual(GOLDEN_HEAD)
    expect(record.form).toBe((name.startsWith('tagged') ? 1 : 0) | (name.endsWith('deflated') ? 2 : 0))
    expect(same(await decode(record.payload, record.form, record.size), GOLDEN_VALUES[name])).toBe(true)
  })

  test('of a later version are no records', () => {
    expect(decodeRecord(golden('version-3'))).toBeUndefined()
  })
})
