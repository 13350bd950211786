import { once } from 'node:events'
import { connect } from 'node:net'

/** What the server itself says it was asked: the uniform witness of who uses it. */
export interface Watch {
  /** When the first command naming a key that begins with `prefix` came, in milliseconds since 1970. */
  first(prefix: string): number | undefined
  stop(): void
}

export async function watchServer(
  { host, port }: { readonly host: string; readonly port: number },
  prefixes: readonly string[],
): Promise<Watch> {
  const firsts = new Map<string, number>()
  const socket = connect(port, host)
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  let rest = ''
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\r\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const found = prefixes.find(prefix => !firsts.has(prefix) && line.includes(`${prefix}-`))
      // +1339518083.107412 [0 127.0.0.1:60866] "get" "key"
      if (found !== undefined) firsts.set(found, Number.parseFloat(line.slice(1)) * 1000)
    }
  })
  socket.write('MONITOR\r\n')
  return { first: prefix => firsts.get(prefix), stop: () => socket.destroy() }
}
