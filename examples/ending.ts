import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Closable {
  close(): Promise<unknown>
}

/** Listens on PORT (0: any) and says where; on SIGTERM or SIGINT lets requests end, then closes what they used. */
export function serve(server: Server, used: readonly Closable[]): void {
  server.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
    console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  })
  const end = (): void => {
    server.close(() => void Promise.all(used.map(one => one.close())))
    server.closeIdleConnections()
  }
  process.once('SIGTERM', end)
  process.once('SIGINT', end)
}
