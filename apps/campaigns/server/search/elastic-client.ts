import { Compile } from 'typebox/compile'
import Type from 'typebox'
import type { IndexedDocument, Rank, SearchIndex } from './port.ts'

/**
 * What this application says to Elasticsearch 8, over plain HTTP. One index for a database, known by two more names:
 * `…_write` from its creation on, and the name that is searched, which it gets only when everything is in it.
 */
export interface ElasticClient extends SearchIndex {
  /** The ids of what has all the words, best first. */
  readonly search: Rank
}

/** It did not answer, or not as it should. The message says nothing of where it is. */
export class ElasticFault extends Error {
  readonly status: number | undefined

  constructor(message: string, status?: number, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ElasticFault'
    this.status = status
  }
}

export interface ElasticOptions {
  /** With a user and a password when it asks for them. */
  readonly url: string
  readonly index: string
  /** Milliseconds a search may take: somebody is waiting, and the database can answer too. 800 unless said. */
  readonly searchDeadline?: number
  /** Milliseconds for all else; 30 s unless said. */
  readonly writeDeadline?: number
}

const SearchAnswer = Compile(
  Type.Object({ hits: Type.Object({ hits: Type.Array(Type.Object({ _id: Type.String() })) }) }),
)
const ItemResult = Type.Object({ status: Type.Integer(), error: Type.Optional(Type.Object({ type: Type.String() })) })
const BulkAnswer = Compile(
  Type.Object({ errors: Type.Boolean(), items: Type.Array(Type.Record(Type.String(), ItemResult)) }),
)

const MAPPING = {
  settings: { number_of_shards: 1 },
  mappings: {
    dynamic: 'strict',
    // Words are folded and cut apart before they come here, as for every other engine.
    properties: { kind: { type: 'keyword' }, words: { type: 'text', analyzer: 'whitespace' } },
  },
}

interface Answer {
  readonly status: number
  readonly body: unknown
}

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly body?: string
  readonly type?: string
  readonly deadline: number
}

function createCaller(url: string): (call: Call) => Promise<Answer> {
  const { username, password, href } = new URL(url)
  const base = new URL(href)
  base.username = ''
  base.password = ''
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  const authorization = username === '' ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` }
  const root = base.href.replace(/\/+$/, '')
  return async ({ method, path, body, type = 'application/json', deadline }) => {
    try {
      const response = await fetch(`${root}/${path}`, {
        method,
        headers: {
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': type }),
          ...authorization,
        },
        ...(body === undefined ? {} : { body }),
        redirect: 'error',
        // Covers the body too: an answer that never ends is none.
        signal: AbortSignal.timeout(deadline),
      })
      return { status: response.status, body: await response.json() }
    } catch (cause) {
      const late = (cause as Error).name === 'TimeoutError'
      throw new ElasticFault(late ? `no answer within ${deadline} ms` : 'no answer that could be read', undefined, {
        cause,
      })
    }
  }
}

function accept({ status, body }: Answer, ...also: readonly number[]): Answer {
  if (status < 300 || also.includes(status)) return { status, body }
  throw new ElasticFault(`it answered with status ${status}`, status)
}

function bulkLines({ kind, id, words, version }: IndexedDocument): readonly object[] {
  const about = { _id: `${kind}:${id}`, version, version_type: 'external_gte' }
  return words === undefined ? [{ delete: about }] : [{ index: about }, { kind, words }]
}

/** 404: it was not there to delete. 409: a newer one is there. */
const HARMLESS = [404, 409]

export function createElasticClient(options: ElasticOptions): ElasticClient {
  const { url, index, searchDeadline = 800, writeDeadline = 30_000 } = options
  const call = createCaller(url)
  const [built, written] = [`${index}_1`, `${index}_write`]
  const change = (method: Call['method'], path: string, body?: object): Promise<Answer> =>
    call({ method, path, deadline: writeDeadline, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  return {
    async search(words, kind, limit) {
      const asked = words.map(({ text, prefix }) =>
        prefix ? { prefix: { words: { value: text } } } : { term: { words: { value: text } } },
      )
      const query = { bool: { filter: [{ term: { kind } }], must: asked } }
      const body = JSON.stringify({ size: limit, _source: false, track_total_hits: false, query })
      const answer = accept(await call({ method: 'POST', path: `${index}/_search`, body, deadline: searchDeadline }))
      if (!SearchAnswer.Check(answer.body)) throw new ElasticFault('it answered a search with something else')
      return answer.body.hits.hits.map(hit => hit._id.slice(kind.length + 1))
    },
    async begin() {
      accept(await change('DELETE', built), 404)
      accept(await change('PUT', built, { ...MAPPING, aliases: { [written]: {} } }))
    },
    async finish() {
      accept(await change('POST', `${built}/_refresh`))
      accept(await change('PUT', `${built}/_alias/${index}`))
    },
    async send(documents) {
      if (documents.length === 0) return true
      const body = documents
        .flatMap(bulkLines)
        .map(line => `${JSON.stringify(line)}\n`)
        .join('')
      // Without `require_alias` a write that comes before the index would make one, without its mapping.
      const path = `${written}/_bulk?require_alias=true`
      const answer = accept(
        await call({ method: 'POST', path, body, type: 'application/x-ndjson', deadline: writeDeadline }),
        404,
      )
      if (answer.status === 404) return false
      if (!BulkAnswer.Check(answer.body)) throw new ElasticFault('it answered a bulk request with something else')
      const items = answer.body.items.flatMap(item => Object.values(item))
      if (items.some(({ error }) => error?.type === 'index_not_found_exception')) return false
      const refused = items.find(({ status }) => status >= 300 && !HARMLESS.includes(status))
      if (refused === undefined) return true
      throw new ElasticFault(
        `it refused a document: ${refused.error?.type ?? 'no reason'} (${refused.status})`,
        refused.status,
      )
    },
  }
}
