import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { Alert } from '../../src/index.ts'
import { createDelivery } from '../../src/monitor/deliver.ts'
import { manualClock } from '../../src/testing.ts'
import { until } from '../support/caches.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

interface Received {
  readonly body: string
  readonly headers: IncomingHttpHeaders
}

async function hook(status: number | 'silent'): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = []
  const server: Server = createServer((request, response) => {
    let body = ''
    request.on('data', chunk => (body += String(chunk)))
    request.on('end', () => {
      received.push({ body, headers: request.headers })
      if (status !== 'silent') response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end('thank you')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push({
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/services/s3cret`, received }
}

describe('a webhook', () => {
  const alert: Alert = {
    signature: 'backend:redis',
    namespace: 'shop',
    text: 'Redis is down',
    detail: 'connect ECONNREFUSED',
    since: Date.UTC(2030, 0, 1),
  }

  function told(webhook: string, onAlert?: (one: Alert) => unknown) {
    const lines: string[] = []
    const logger = { warn: (line: string) => void lines.push(line), info: (line: string) => void lines.push(line) }
    const clock = manualClock()
    return {
      clock,
      lines,
      tell: createDelivery({ logger, webhook: { url: webhook, headers: { 'x-key': 'k' } }, onAlert }, clock),
    }
  }

  test('gets what Slack, Teams and Discord show, and the alert itself', async () => {
    const { url, received } = await hook(200)
    const seen: Alert[] = []
    const { tell, lines } = told(url, one => seen.push(one))
    await tell(alert)
    await tell({ ...alert, until: Date.UTC(2030, 0, 2) })
    expect(received.map(one => one.headers['content-type'])).toEqual(['application/json', 'application/json'])
    expect(received[0]?.headers['x-key']).toBe('k')
    const [first, second] = received.map(one => JSON.parse(one.body) as Record<string, unknown>)
    expect(first).toEqual({
      text: '🔴 shop: Redis is down: connect ECONNREFUSED',
      content: '🔴 shop: Redis is down: connect ECONNREFUSED',
      alert,
    })
    expect(second?.['text']).toBe('🟢 shop: over: Redis is down: connect ECONNREFUSED')
    expect(seen).toHaveLength(2)
    expect(lines).toHaveLength(2)
  })

  test.each([
    ['refuses', 500, /the webhook at 127.0.0.1:\d+ could not be told: it answered 500$/],
    ['points elsewhere', 302, /could not be told: unexpected redirect$/],
  ] as const)('that %s is a line in the log, without its address', async (_what, status, line) => {
    const { url, received } = await hook(status)
    const { tell, lines } = told(url)
    await tell(alert)
    expect(received).toHaveLength(1)
    expect(lines[1]).toMatch(line)
    expect(lines.join()).not.toContain('s3cret')
  })

  test('that does not answer is given up after five seconds', async () => {
    const { url, received } = await hook('silent')
    const { tell, lines, clock } = told(url)
    const done = tell(alert)
    await until('the webhook was asked', () => received.length === 1)
    await clock.advance(4999)
    expect(lines).toHaveLength(1)
    await clock.advance(1)
    await done
    expect(lines[1]).toMatch(/could not be told: no answer within 5000 ms$/)
  })

  test('and a callback that fails does not keep the others from being told', async () => {
    const { url, received } = await hook(200)
    const { tell, lines } = told(url, () => Promise.reject(new Error('full\nmailbox')))
    await tell(alert)
    expect(received).toHaveLength(1)
    expect(lines[1]).toBe('[CACHE ALERT] shop: onAlert could not be told: full mailbox')
  })
})
