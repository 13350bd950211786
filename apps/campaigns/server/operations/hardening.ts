import { constants } from 'node:zlib'
import compress from '@fastify/compress'
import etag from '@fastify/etag'
import helmet from '@fastify/helmet'
import underPressure from '@fastify/under-pressure'
import type { FastifyInstance } from 'fastify'
import { Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'

/** What an answer may load, where it is shown. Pages that need more say so themselves. */
const POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'"],
  fontSrc: ["'self'"],
  connectSrc: ["'self'"],
  formAction: ["'self'"],
  baseUri: ["'none'"],
  frameAncestors: ["'none'"],
} as const

export interface Hardening {
  /** 0 is no compression, 9 the most; as zlib counts. */
  readonly compressionLevel: number
  /** Milliseconds the event loop may lag before requests are turned away. */
  readonly mostLag?: number
}

const BROTLI_QUALITY = 5
/** Below this a compressed answer is hardly smaller, and costs a copy. */
const SMALLEST = 1024

/** Headers, compression, validators, and a 503 before the process drowns. Registered before any route. */
export async function harden(app: FastifyInstance, { compressionLevel, mostLag = 2000 }: Hardening): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: POLICY },
    // Told by whoever ends TLS; the application itself may be reached by http on a private network.
    strictTransportSecurity: false,
    crossOriginEmbedderPolicy: false,
  })
  await app.register(compress, {
    threshold: SMALLEST,
    encodings: ['br', 'gzip'],
    zlibOptions: { level: compressionLevel },
    brotliOptions: { params: { [constants.BROTLI_PARAM_QUALITY]: Math.min(compressionLevel, BROTLI_QUALITY) } },
    global: compressionLevel > 0,
    // A few kilobytes can become gigabytes. Nobody who calls needs that.
    globalDecompression: false,
  })
  app.addHook('onRequest', async ({ headers }) => {
    const encoding = headers['content-encoding']
    if (encoding === undefined || encoding.toLowerCase() === 'identity') return
    throw new Problem(415, `header.content-encoding: expected none, received ${received(encoding)}`)
  })
  await app.register(etag)
  await app.register(underPressure, {
    maxEventLoopDelay: mostLag,
    retryAfter: 10,
    pressureHandler: () => {
      throw new Problem(503, 'The server is busy. Try again in ten seconds.')
    },
  })
}

/** One line a request in the log, one sample in the metrics. The address without its query: that may hold what people search for. */
export function watchRequests(app: FastifyInstance, { metrics }: Services): void {
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    const { statusCode, elapsedTime } = reply
    metrics.request(route, request.method, statusCode, elapsedTime)
    const line = {
      method: request.method,
      path: request.url.split('?', 1)[0],
      route,
      status: statusCode,
      ms: Math.round(elapsedTime * 10) / 10,
      user: request.actor?.userId ?? undefined,
      cache: reply.getHeader('x-cache'),
    }
    request.log.info(line, 'request')
  })
}
