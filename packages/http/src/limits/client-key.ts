import { createHash } from 'node:crypto'
import { isIPv4, isIPv6 } from 'node:net'
import { badOption } from 'palier'

export interface ClientKeyOptions {
  /** IPv6 addresses that agree in so many bits count as one client: 1 to 128; 56 unless said, which is what a home gets. */
  readonly ipv6Prefix?: number
}

/** The eight groups of an IPv6 address as a URL writes it: in lower case, the longest run of zeros as `::`, nothing dotted. */
function groupsOf(canonical: string): readonly number[] {
  const [head = '', tail] = canonical.split('::')
  const groups = (text: string): number[] =>
    text.split(':').flatMap(each => (each === '' ? [] : Number.parseInt(each, 16)))
  const [front, back] = [groups(head), groups(tail ?? '')]
  return [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back]
}

const canonicalOf = (address: string): string => new URL(`http://[${address}]`).hostname.slice(1, -1)

/**
 * What a client is counted by: an IPv4 address as it is, also where it came as IPv6 (`::ffff:192.0.2.1`), and the network of
 * an IPv6 address (`2001:db8:0:100::/56`), because a client has as many addresses in it as it likes. Zones are left out.
 * Throws PALIER_BAD_OPTION for what is no address: behind a proxy, tell the framework which to trust rather than read a header.
 */
export function clientKey(address: string | undefined, options: ClientKeyOptions = {}): string {
  const { ipv6Prefix = 56 } = options
  if (!Number.isInteger(ipv6Prefix) || ipv6Prefix < 1 || ipv6Prefix > 128) {
    throw badOption('ipv6Prefix', 'a whole number from 1 to 128', ipv6Prefix)
  }
  const bare = typeof address === 'string' ? address.replace(/%.*$/s, '') : ''
  if (isIPv4(bare)) return bare
  if (!isIPv6(bare)) throw badOption('address', 'an IPv4 or IPv6 address', address)
  const groups = groupsOf(canonicalOf(bare))
  const [high = 0, low = 0] = groups.slice(6)
  if (groups.slice(0, 5).every(group => group === 0) && groups[5] === 0xffff) {
    return [high >> 8, high & 255, low >> 8, low & 255].join('.')
  }
  const network = groups.map((group, i) => {
    const bits = Math.min(16, Math.max(0, ipv6Prefix - 16 * i))
    return (group & (0xffff << (16 - bits)) & 0xffff).toString(16)
  })
  const text = canonicalOf(network.join(':'))
  return ipv6Prefix === 128 ? text : `${text}/${ipv6Prefix}`
}

/** Longer keys are told apart by their hash, so that no client fills the memory with them. */
const LONGEST_KEY = 200

export function boundedKey(key: string): string {
  return key.length <= LONGEST_KEY ? key : `sha256:${createHash('sha256').update(key).digest('base64url')}`
}
