import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import { compiled } from '../support/compiled.ts'
import { OWN_CLIENTS } from '../support/redis-owned.ts'
import { startProxy } from '../support/proxy.ts'
import { freePort } from '../support/ports.ts'
import { startCluster, startRedis, until } from '../support/redis-server.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function start(client: string, urls: readonly string[]): Promise<ChildProcess> {
  const script = await compiled(new URL('../support/redis-worker.ts', import.meta.url))
  const child = fork(script, [client, ...urls], { execArgv: ['--unhandled-rejections=strict'] })
  ends.push(() => child.kill('SIGKILL'))
  return child
}

for (const client of OWN_CLIENTS) {
  describe(`a process that listens to no error, with ${client}`, () => {
    test('lives through every fault of server and path, and ends by itself once the stores are closed', async () => {
      const server = await startRedis()
      ends.push(() => server.stop())
      const cluster = await startCluster(3)
      ends.push(() => cluster.stop())
      const proxy = await startProxy({ port: server.port })
      ends.push(() => proxy.close())
      const [first] = cluster.nodes
      const nowhere = await freePort()
      const urls = [proxy.url, server.url, first?.url ?? '', `redis://nobody:wrong@127.0.0.1:${server.port}`]
      const child = await start(client, [...urls, `redis://127.0.0.1:${nowhere}`])
      let exit: number | null | undefined
      const exited = once(child, 'exit').then(([code]) => {
        exit = code as number | null
      })
      await once(child, 'message')
      for (const mode of ['cut', 'refuse', 'pass', 'blackhole', 'half-open', 'delay:300', 'pass'] as const) {
        await proxy.mode(mode)
        const before = proxy.accepted()
        await until(
          `it goes on in ${mode}`,
          () => proxy.accepted() > before || mode === 'refuse' || mode.startsWith('d'),
        )
      }
      await server.ask('CLIENT KILL TYPE normal')
      await server.ask('SCRIPT FLUSH')
      await server.ask('CLIENT PAUSE 300')
      await server.restart()
      await first?.kill()
      server.pause()
      const before = proxy.accepted()
      await until('connections are tried in vain', () => proxy.accepted() > before + 2)
      server.resume()
      await first?.restart()
      expect(exit).toBeUndefined()
      child.send('stop')
      const [report] = (await once(child, 'message')) as [{ calls: number; slowest: number }]
      expect(report.calls).toBeGreaterThan(100)
      expect(report.slowest).toBeLessThan(1500)
      await exited
      expect(exit).toBe(0)
    })
  })
}
