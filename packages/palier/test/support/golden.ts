import type { RecordHead } from '../../src/record.ts'
import { withHoles } from './same.ts'

/** What the files in `test/golden` hold: written once, by the first release; never written again. */
export const GOLDEN_HEAD: Omit<RecordHead, 'form' | 'size'> = {
  key: 'shop:e:product:preço:42',
  createdAt: 1_767_225_600_123.25,
  ttl: 300_000,
  grace: 3_600_000,
  cost: 37,
  mark: 5,
  stamps: [
    { name: 'n:', value: '00000000000000ff' },
    { name: 't:ação', value: 'fedcba9876543210' },
  ],
}

const product = {
  id: 42,
  name: 'Café',
  price: 12.5,
  tags: ['new', 'açaí'],
  stock: null,
  live: true,
  $ref: '#/x',
  nested: [[{}]],
}

const everything: Record<string, unknown> = {
  none: undefined,
  numbers: [-0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  holes: withHoles(3, { 0: 1, 2: 3 }),
  big: [2n ** 70n, -255n],
  dates: [new Date(1_767_225_600_123), new Date(Number.NaN)],
  map: new Map<unknown, unknown>([
    ['a', new Set([1, 'b'])],
    [{ k: 1 }, [new Map()]],
  ]),
  pattern: /a\/(?<x>b)/giu,
  url: new URL('https://example.com/path?q=1#h'),
  errors: [new TypeError('no', { cause: 'why' }), Object.defineProperty(new Error('x'), 'name', { value: 'Custom' })],
  looksLikeTag: { $: ['undefined'], $$: 1, $name: 2 },
  buffer: Buffer.from('hello'),
  views: [
    ...[
      new Uint8Array([1, 2]),
      new Int8Array([-1]),
      new Uint8ClampedArray([255]),
      new Uint16Array([513]),
      new Int16Array([-2]),
    ],
    ...[new Uint32Array([7]), new Int32Array([-7]), new Float32Array([1.5]), new Float64Array([Math.PI])],
    ...[new BigInt64Array([-1n]), new BigUint64Array([1n]), new DataView(new ArrayBuffer(2)), new ArrayBuffer(3)],
  ],
}

const many = <T>(value: T): T[] => Array.from({ length: 20 }, () => value)

export const GOLDEN_VALUES: Record<string, unknown> = {
  plain: product,
  'plain-deflated': many(product),
  tagged: everything,
  'tagged-deflated': many(everything),
}
