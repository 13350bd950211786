import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'

/** Answers of Elasticsearch 8, as its documentation has them. */
export type FixtureName =
  | 'index-deleted'
  | 'index-missing'
  | 'index-created'
  | 'refreshed'
  | 'found'
  | 'bulk-written'
  | 'bulk-overtaken'
  | 'bulk-rejected'
  | 'bulk-no-alias'
  | 'too-many-requests'

const STATUS: Partial<Readonly<Record<FixtureName, number>>> = { 'index-missing': 404, 'too-many-requests': 429 }

export interface Asked {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly type: string | undefined
  readonly authorization: string | undefined
  /** A JSON body, or the lines of one. */
  readonly body: unknown
}

export interface FakeElasticsearch {
  readonly url: string
  readonly asked: Asked[]
  /** What it says next, in this order; `silence` is a request that it never answers. */
  say(...answers: readonly (FixtureName | 'silence' | 'garbage')[]): void
  close(): Promise<void>
}

async function readAsked(request: IncomingMessage): Promise<Asked> {
  const { method, url: path, headers } = request
  const type = headers['content-type']
  const body = await text(request)
  const lines = body.split('\n')
  const parsed =
    type === 'application/x-ndjson'
      ? lines.slice(0, -1).map(line => JSON.parse(line) as unknown)
      : body === ''
        ? null
        : (JSON.parse(body) as unknown)
  return { method, path, type, authorization: headers.authorization, body: parsed }
}

/** A server that says what a test told it to, in order, and keeps what it was asked. */
export async function fakeElasticsearch(): Promise<FakeElasticsearch> {
  const asked: Asked[] = []
  const answers: (FixtureName | 'silence' | 'garbage')[] = []
  const server = createServer((request, response) => {
    void (async () => {
      asked.push(await readAsked(request))
      const answer = answers.shift()
      if (answer === 'silence') return
      if (answer === undefined || answer === 'garbage') return void response.end('<html>a proxy</html>')
      const body = readFileSync(new URL(`../elasticsearch-8/${answer}.json`, import.meta.url))
      response
        .writeHead(STATUS[answer] ?? 200, { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch' })
        .end(body)
    })()
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    if (server.listening) await new Promise(done => server.close(done))
  }
  onTestFinished(close)
  const { port } = server.address() as AddressInfo
  return {
    url: `http://elastic:s3cret@127.0.0.1:${port}/proxy`,
    asked,
    say: (...more) => void answers.push(...more),
    close,
  }
}
