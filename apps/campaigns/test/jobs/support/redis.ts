import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { onTestFinished, vi } from 'vitest'
import { freshDirectory } from '../../support/fresh-directory.ts'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}

function answers(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => void socket.write('PING\r\n'))
    socket.once('data', () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
  })
}

/** A server of the calling test alone, which ends with it. Returns its address. */
export async function startRedis(): Promise<string> {
  const port = await freePort()
  const options = ['--save', '', '--appendonly', 'no', '--bind', '127.0.0.1', '--dir', freshDirectory()]
  const server = spawn('redis-server', ['--port', String(port), ...options], { stdio: 'ignore' })
  onTestFinished(async () => {
    const exited = once(server, 'exit')
    server.kill('SIGKILL')
    await exited
  })
  await vi.waitFor(() => answers(port), { timeout: 30_000, interval: 20 })
  return `redis://127.0.0.1:${port}`
}
