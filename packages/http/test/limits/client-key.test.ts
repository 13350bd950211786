import { describe, expect, test } from 'vitest'
import { clientKey } from '../../src/index.ts'
import { boundedKey } from '../../src/limits/client-key.ts'

describe('a client', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:C000:201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:c000:0201', '192.0.2.1'],
    ['2001:db8:1:2ff:3:4:5:6', '2001:db8:1:200::/56'],
    ['2001:0DB8:0001:02aa::', '2001:db8:1:200::/56'],
    ['2001:db8:1:2ff::9%eth0', '2001:db8:1:200::/56'],
    ['fe80::1%25', 'fe80::/56'],
    ['::1', '::/56'],
  ])('of %s is counted by %s', (address, key) => {
    expect(clientKey(address)).toBe(key)
  })

  test('may have a larger or a smaller network', () => {
    expect(clientKey('2001:db8:1:2ff::9', { ipv6Prefix: 64 })).toBe('2001:db8:1:2ff::/64')
    expect(clientKey('2001:db8:1:2ff::9', { ipv6Prefix: 33 })).toBe('2001:db8::/33')
    expect(clientKey('2001:db8:8001:2ff::9', { ipv6Prefix: 33 })).toBe('2001:db8:8000::/33')
    expect(clientKey('ffff::', { ipv6Prefix: 1 })).toBe('8000::/1')
    expect(clientKey('2001:db8::9', { ipv6Prefix: 128 })).toBe('2001:db8::9')
    expect(clientKey('192.0.2.1', { ipv6Prefix: 1 })).toBe('192.0.2.1')
  })

  test.each(['', 'unknown', '192.0.2.1:80', '[::1]', '1.2.3', '10.0.0.1, 192.0.2.1', undefined])(
    'is not made up for %s',
    address => {
      expect(() => clientKey(address)).toThrow(
        expect.objectContaining({ code: 'PALIER_BAD_OPTION', message: expect.stringContaining('address: expected') }),
      )
    },
  )

  test.each([0, 129, 1.5, Number.NaN])('has no network of %s bits', ipv6Prefix => {
    expect(() => clientKey('::1', { ipv6Prefix })).toThrow('ipv6Prefix')
  })
})

test('a key has a bounded length, and two long ones stay two', () => {
  expect(boundedKey('short')).toBe('short')
  const [one, two] = [boundedKey(`${'k'.repeat(100_000)}1`), boundedKey(`${'k'.repeat(100_000)}2`)]
  expect(one).not.toBe(two)
  expect([one.length, two.length].every(length => length < 200)).toBe(true)
})
