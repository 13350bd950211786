import type { Reply } from './port.ts'

/** Nothing the probe asks for is longer; a longer promise means that this is not Redis. */
const LONGEST = 1024 * 1024

interface Parsed {
  readonly reply: Reply
  readonly end: number
}

/**
 * Reads RESP2 replies of the kinds a probe or a sentinel gives (status, error, integer, bulk, array) from chunks cut
 * anywhere. The returned function says false as soon as what came cannot be a reply.
 */
export function createReplyReader(onReply: (reply: Reply) => void): (chunk: Buffer) => boolean {
  let rest: Buffer = Buffer.alloc(0)

  /** The reply that starts at `from` and where it ends; undefined when it has not all come; null when it is none. */
  function next(from: number): Parsed | undefined | null {
    if (rest.length <= from) return undefined
    const kind = String.fromCharCode(rest[from] ?? 0)
    if (!'+-:$*'.includes(kind)) return null
    const lineEnd = rest.indexOf('\r\n', from)
    if (lineEnd < 0) return rest.length - from > LONGEST ? null : undefined
    const line = rest.toString('utf8', from + 1, lineEnd)
    const end = lineEnd + 2
    if (kind === '+') return { reply: line, end }
    if (kind === '-') return { reply: new Error(line), end }
    const number = Number(line)
    if (line === '' || !Number.isInteger(number)) return null
    if (kind === ':') return { reply: number, end }
    if (number < 0) return { reply: null, end }
    if (number > LONGEST) return null
    if (kind === '*') return list(number, end)
    if (rest.length < end + number + 2) return undefined
    return { reply: rest.subarray(end, end + number), end: end + number + 2 }
  }

  function list(length: number, from: number): Parsed | undefined | null {
    const items: Reply[] = []
    let end = from
    while (items.length < length) {
      const item = next(end)
      if (item === undefined || item === null) return item
      items.push(item.reply)
      end = item.end
    }
    return { reply: items, end }
  }

  return chunk => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (let found = next(0); found !== undefined; found = next(0)) {
      if (found === null) return false
      rest = rest.subarray(found.end)
      onReply(found.reply)
    }
    return true
  }
}
