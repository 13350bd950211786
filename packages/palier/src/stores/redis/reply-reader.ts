import type { Reply } from './port.ts'

/** Nothing the probe asks for is longer; a longer promise means that this is not Redis. */
const LONGEST = 1024 * 1024

/**
 * Reads RESP2 replies of the kinds a probe meets (status, error, integer, bulk) from chunks cut anywhere. The returned
 * function says false as soon as what came cannot be a reply.
 */
export function createReplyReader(onReply: (reply: Reply) => void): (chunk: Buffer) => boolean {
  let rest: Buffer = Buffer.alloc(0)

  /** The reply at the start of `rest` and where it ends; undefined when it has not all come; null when it is none. */
  function next(): { reply: Reply; end: number } | undefined | null {
    if (rest.length === 0) return undefined
    const kind = String.fromCharCode(rest[0] ?? 0)
    if (!'+-:$'.includes(kind)) return null
    const lineEnd = rest.indexOf('\r\n')
    if (lineEnd < 0) return rest.length > LONGEST ? null : undefined
    const line = rest.toString('utf8', 1, lineEnd)
    const end = lineEnd + 2
    if (kind === '+') return { reply: line, end }
    if (kind === '-') return { reply: new Error(line), end }
    const number = Number(line)
    if (line === '' || !Number.isInteger(number)) return null
    if (kind === ':') return { reply: number, end }
    if (number < 0) return { reply: null, end }
    if (number > LONGEST) return null
    if (rest.length < end + number + 2) return undefined
    return { reply: rest.subarray(end, end + number), end: end + number + 2 }
  }

  return chunk => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (let found = next(); found !== undefined; found = next()) {
      if (found === null) return false
      rest = rest.subarray(found.end)
      onReply(found.reply)
    }
    return true
  }
}
