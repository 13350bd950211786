import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'

/** What the server says to a command; undefined for its usual answer, `cut` closes the connection without a word, `silent` says nothing at all. */
export type Script = (command: string) => string | undefined

export interface SmtpServer {
  readonly url: string
  /** The messages taken, as they came. */
  readonly taken: string[]
  /** Each line that a client sent outside messages. */
  readonly commands: string[]
  script: Script
}

const USUAL: readonly (readonly [RegExp, string])[] = [
  [/^(EHLO|HELO)/i, '250 at your service'],
  [/^DATA/i, '354 go on'],
  [/^QUIT/i, '221 bye'],
]

function serve(socket: Socket, server: SmtpServer): void {
  let rest = ''
  let message: string[] | undefined
  const answer = (command: string): void => {
    const said = server.script(command) ?? USUAL.find(([pattern]) => pattern.test(command))?.[1] ?? '250 ok'
    if (said === 'cut') socket.destroy()
    else if (said !== 'silent') socket.write(`${said}\r\n`)
    if (said.startsWith('354')) message = []
  }
  socket.on('error', () => undefined)
  socket.on('data', chunk => {
    const lines = (rest + chunk.toString('utf8')).split('\r\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (message === undefined) {
        server.commands.push(line)
        answer(line)
      } else if (line === '.') {
        const whole = message.join('\r\n')
        message = undefined
        const said = server.script('END') ?? '250 taken'
        if (said.startsWith('250')) server.taken.push(whole)
        if (said === 'cut') socket.destroy()
        else socket.write(`${said}\r\n`)
      } else message.push(line)
    }
  })
  socket.write('220 a small server for tests\r\n')
}

/** Speaks as much SMTP as a client needs to send a mail, and misbehaves as it is told. Closed when the test ends. */
export async function startSmtp(): Promise<SmtpServer> {
  const sockets = new Set<Socket>()
  const listener = createServer(socket => {
    sockets.add(socket)
    serve(socket, server)
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const server: SmtpServer = { url: `smtp://127.0.0.1:${port}`, taken: [], commands: [], script: () => undefined }
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    listener.close()
  })
  return server
}
