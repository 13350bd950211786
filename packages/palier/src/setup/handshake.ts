import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { isErrno } from '../stores/file/errors.ts'
import { type Address, isSocket } from './address.ts'
import type { RedisState } from './contract.ts'
import { errnoOf } from './files.ts'

/*
 * What listens at an address, told by the first bytes it says to a PING. Nothing secret is sent, and nothing that
 * another service says is shown.
 */

export interface Greeting {
  readonly state: RedisState
  /** Milliseconds to the first byte. */
  readonly latency: number | undefined
  readonly errno: string | undefined
}

const PING = '*1\r\n$4\r\nPING\r\n'
const FIRST = 256

const REPLIES: readonly (readonly [RegExp, RedisState])[] = [
  [/^\+PONG|^\$4\r\nPONG/, 'open'],
  [/^-NOAUTH/, 'password'],
  [/^-WRONGPASS/, 'wrong password'],
  [/^-DENIED/, 'protected'],
  [/^-LOADING/, 'loading'],
  [/^-(MASTERDOWN|READONLY)/, 'replica'],
  [/^-ERR max number of clients/, 'max clients'],
  [/^-MISCONF/, 'misconf'],
  [/^-NOPERM/, 'no right'],
  [/^\u0015/, 'tls'],
]

/** By the first bytes; `HTTP/`, `SSH-` and all else that is not Redis is another service. */
export function classify(first: string): RedisState {
  return REPLIES.find(([pattern]) => pattern.test(first))?.[1] ?? 'other service'
}

function failed(error: unknown): Greeting {
  const state = isErrno(error, 'ECONNREFUSED', 'ENOENT')
    ? 'refused'
    : isErrno(error, 'EACCES', 'EPERM')
      ? 'not yours'
      : 'unreachable'
  return { state, latency: undefined, errno: errnoOf(error) }
}

/** The bytes before the first line's end, the end of the connection, or the time. */
function firstBytes(socket: Socket, event: 'connect' | 'secureConnect', ms: number): Promise<Greeting | 'silent'> {
  return new Promise(resolve => {
    let said = ''
    let askedAt = performance.now()
    const finish = (greeting: Greeting | 'silent'): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(greeting)
    }
    const told = (): Greeting => ({
      state: classify(said),
      latency: Number((performance.now() - askedAt).toPrecision(3)),
      errno: undefined,
    })
    const timer = setTimeout(
      () => finish(said === '' ? { state: 'timeout', latency: undefined, errno: undefined } : told()),
      ms,
    )
    socket.setEncoding('latin1')
    socket.once(event, () => {
      askedAt = performance.now()
      socket.write(PING)
    })
    socket.on('data', (chunk: string) => {
      said += chunk
      if (said.includes('\r\n') || said.startsWith('\u0015') || said.length >= FIRST) finish(told())
    })
    socket.on('error', error => finish(isErrno(error, 'ECONNRESET', 'EPIPE') ? 'silent' : failed(error)))
    socket.on('close', () => finish(said === '' ? 'silent' : told()))
  })
}

function open({ host, port, tls }: Address, insecure: boolean): Socket {
  if (host.startsWith('/')) return connectTcp({ path: host })
  if (!tls && !insecure) return connectTcp({ host, port })
  // To see whether it speaks TLS at all, its certificate does not matter: nothing but a PING is sent.
  return connectTls({
    host,
    port,
    rejectUnauthorized: !insecure,
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
  })
}

/** Never rejects; leaves no connection. */
export async function greet(address: Address, ms: number): Promise<Greeting> {
  const event = address.tls ? 'secureConnect' : 'connect'
  const greeting = await firstBytes(open(address, false), event, ms)
  if (greeting !== 'silent') return greeting
  if (address.tls || isSocket(address)) return { state: 'other service', latency: undefined, errno: undefined }
  // Servers that speak TLS may hang up on whoever does not.
  const again = await firstBytes(open(address, true), 'secureConnect', ms)
  const speaksTls = again !== 'silent' && again.latency !== undefined && again.state !== 'other service'
  return { state: speaksTls ? 'tls' : 'other service', latency: undefined, errno: undefined }
}
