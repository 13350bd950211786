import { connect, type Socket } from 'node:net'

/** A request as it stands on the wire: nothing in it is checked, joined or put right. */
export interface Wire {
  readonly method?: string
  readonly target: string
  readonly version?: '1.0' | '1.1'
  /** False: no Host line. Default `site.test`. */
  readonly host?: string | false
  readonly headers?: readonly (readonly [string, string])[]
  readonly body?: string
  /** Bytes after the head as they are, in place of a body. */
  readonly tail?: string
  /** The address it comes from. Default 127.0.0.1. */
  readonly from?: string
}

export interface Answer {
  /** 0: the server closed the connection without a head. */
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Buffer
  /** The body came to the end that its head promised. */
  readonly isWhole: boolean
  /** Everything that came, the head too. */
  readonly all: string
  /** By lower-case name, lines joined. */
  get(name: string): string | undefined
}

export interface Sending {
  readonly socket: Socket
  readonly answer: Promise<Answer>
}

const BUDGET = 20_000

function wireText(wire: Wire): string {
  const { method = 'GET', target, version = '1.1', host = 'site.test', headers = [], body = '', tail = body } = wire
  const lines = [`${method} ${target} HTTP/${version}`]
  if (host !== false) lines.push(`Host: ${host}`)
  for (const [name, value] of headers) lines.push(`${name}: ${value}`)
  if (!headers.some(([name]) => name.toLowerCase() === 'connection')) lines.push('Connection: close')
  if (body !== '') lines.push(`Content-Length: ${Buffer.byteLength(body)}`)
  return `${lines.join('\r\n')}\r\n\r\n${tail}`
}

function unchunked(bytes: Buffer): { body: Buffer; end: number; isWhole: boolean } {
  const parts: Buffer[] = []
  let at = 0
  for (;;) {
    const line = bytes.indexOf('\r\n', at)
    const size = line < 0 ? Number.NaN : Number.parseInt(bytes.subarray(at, line).toString('latin1'), 16)
    if (Number.isNaN(size)) return { body: Buffer.concat(parts), end: bytes.length, isWhole: false }
    if (size === 0) {
      const end = bytes.indexOf('\r\n', line + 2)
      return { body: Buffer.concat(parts), end: end < 0 ? bytes.length : end + 2, isWhole: end >= 0 }
    }
    parts.push(bytes.subarray(line + 2, line + 2 + size))
    if (line + 2 + size + 2 > bytes.length) return { body: Buffer.concat(parts), end: bytes.length, isWhole: false }
    at = line + 2 + size + 2
  }
}

function headOf(bytes: Buffer, from: number) {
  const end = bytes.indexOf('\r\n\r\n', from)
  if (end < 0) return undefined
  const [first = '', ...lines] = bytes.subarray(from, end).toString('latin1').split('\r\n')
  const headers = lines.map(line => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  })
  return { status: Number(first.split(' ')[1]), headers, next: end + 4 }
}

/** One response at an offset of what came; undefined when not even its head is there. */
function readAnswer(bytes: Buffer, from: number, method: string, isOver: boolean) {
  let head = headOf(bytes, from)
  while (head !== undefined && head.status < 200 && head.status !== 101) head = headOf(bytes, head.next)
  if (head === undefined) return undefined
  const { status, headers, next } = head
  const get = (name: string): string | undefined => {
    const values = headers.filter(([one]) => one === name).map(([, value]) => value)
    return values.length === 0 ? undefined : values.join(', ')
  }
  const rest = bytes.subarray(next)
  let body = rest
  let end = bytes.length
  let isWhole = isOver
  const length = get('content-length')
  if (method === 'HEAD' || status === 204 || status === 304) {
    // What stands here all the same must not stay unseen.
    isWhole = true
    if (!isOver) {
      body = Buffer.alloc(0)
      end = next
    }
  } else if (get('transfer-encoding') === 'chunked') {
    const read = unchunked(rest)
    ;({ body, isWhole } = read)
    end = next + read.end
  } else if (length !== undefined) {
    isWhole = rest.length >= Number(length)
    if (!isOver) {
      body = rest.subarray(0, Number(length))
      end = next + body.length
    }
  }
  const answer: Answer = {
    ...{ status, headers, isWhole, get, body: Buffer.from(body) },
    get all() {
      return bytes.subarray(from, end).toString('latin1')
    },
  }
  return { answer, end }
}

const NOTHING: Answer = { status: 0, headers: [], body: Buffer.alloc(0), isWhole: false, all: '', get: () => undefined }

/** Sends bytes on a connection of their own; `answer` has what came until the server closed it. */
export function open(port: number, wire: Wire): Sending {
  const socket = connect({ port, host: '127.0.0.1', localAddress: wire.from ?? '127.0.0.1' })
  const answer = new Promise<Answer>((resolve, reject) => {
    const pieces: Buffer[] = []
    socket.setTimeout(BUDGET, () => {
      socket.destroy()
      reject(new Error(`no end of the answer to ${JSON.stringify(wire)}`))
    })
    socket.on('data', piece => pieces.push(piece))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      resolve(readAnswer(Buffer.concat(pieces), 0, wire.method ?? 'GET', true)?.answer ?? NOTHING)
    })
    socket.write(wireText(wire), 'latin1')
  })
  return { socket, answer }
}

export function send(port: number, wire: Wire | string): Promise<Answer> {
  return open(port, typeof wire === 'string' ? { target: wire } : wire).answer
}

/** Sends all of them over a few connections, each asking again before it is answered; calls `onAnswer` with each answer and the place of its request. */
export async function flood(
  port: number,
  wires: readonly Wire[],
  onAnswer: (answer: Answer, place: number) => void,
  lanes: number = 4,
): Promise<void> {
  const share = Math.ceil(wires.length / lanes)
  const lane = (own: readonly Wire[], first: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      let pending = Buffer.alloc(0)
      let asked = 0
      let answered = 0
      const ask = (): void => {
        const batch = own.slice(asked, asked + 50).map(wire => {
          return wireText({ ...wire, headers: [...(wire.headers ?? []), ['Connection', 'keep-alive']] })
        })
        asked += batch.length
        socket.write(batch.join(''), 'latin1')
      }
      socket.setTimeout(BUDGET, () => socket.destroy(new Error(`only ${answered} of ${own.length} were answered`)))
      socket.on('error', reject)
      socket.on('close', () => reject(new Error(`closed after ${answered} of ${own.length} answers`)))
      socket.on('data', piece => {
        pending = Buffer.concat([pending, piece])
        let from = 0
        for (;;) {
          const read = readAnswer(pending, from, own[answered]?.method ?? 'GET', false)
          if (read === undefined || !read.answer.isWhole) break
          from = read.end
          onAnswer(read.answer, first + answered)
          answered++
        }
        pending = pending.subarray(from)
        if (answered === own.length) {
          resolve()
          socket.destroy()
        } else if (answered === asked) ask()
      })
      ask()
    })
  const all = Array.from({ length: lanes }, (_one, i) => wires.slice(i * share, (i + 1) * share))
  await Promise.all(all.map(async (own, i) => (own.length === 0 ? undefined : lane(own, i * share))))
}
