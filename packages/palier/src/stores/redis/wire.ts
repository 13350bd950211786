import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { type Args, type Reply, reasonOf } from './port.ts'
import { createReplyReader } from './reply-reader.ts'
import { isSocketPath, type Place } from './target.ts'

/*
 * One connection spoken to without a client, for a few small questions: a client hides the reason why it cannot
 * connect, and outlives the time it was given.
 */
export interface Wire {
  /** Replies come in the order of the commands; an error reply rejects. */
  send(args: Args): Promise<Reply>
  isOpen(): boolean
  close(): void
}

const isName = (host: string): boolean => !/^[\d.]+$|:/.test(host)

export function openWire({ host, port, tls }: Pick<Place, 'host' | 'port' | 'tls'>): Wire {
  const socket = tls
    ? connectTls({ host, port, ...(isName(host) ? { servername: host } : {}) })
    : connectTcp(isSocketPath(host) ? { path: host } : { host, port })
  const waiting: { resolve(reply: Reply): void; reject(error: Error): void }[] = []
  let failure: Error | undefined
  const fail = (error: Error): void => {
    failure ??= error
    for (const each of waiting.splice(0)) each.reject(failure)
    socket.destroy()
  }
  const reader = createReplyReader(reply => {
    const next = waiting.shift()
    if (reply instanceof Error) next?.reject(reply)
    else next?.resolve(reply)
  })
  socket.on('data', (chunk: Buffer) => {
    if (!reader(chunk)) fail(new Error('not Redis'))
  })
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('connection closed')))
  return {
    send: args =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) return reject(failure)
        waiting.push({ resolve, reject })
        const bulk = (arg: Args[number]): string => `$${Buffer.byteLength(arg)}\r\n${String(arg)}\r\n`
        socket.write(`*${args.length}\r\n${args.map(bulk).join('')}`)
      }),
    isOpen: () => failure === undefined,
    close: () => fail(new Error('connection closed')),
  }
}

export async function signIn(
  wire: Wire,
  { username, password, db }: Pick<Place, 'username' | 'password' | 'db'>,
): Promise<void> {
  if (password !== undefined)
    await wire.send(username === undefined ? ['AUTH', password] : ['AUTH', username, password])
  if (db !== 0) await wire.send(['SELECT', String(db)])
}

/** A node of a cluster says in this error where the slot is. An empty host is the host that was asked. */
export function movedTo(error: unknown, askedHost: string): { host: string; port: number; ask: boolean } | undefined {
  const [, kind, host = '', port] = /^(MOVED|ASK) \d+ (.*):(\d+)$/.exec(reasonOf(error)) ?? []
  if (port === undefined) return undefined
  return { host: host === '' ? askedHost : host, port: Number(port), ask: kind === 'ASK' }
}
