import type { ServerResponse } from 'node:http'
import { shadowing } from './shadow.ts'

function lengthOf(chunk: unknown, encoding: unknown): number | undefined {
  if (typeof chunk === 'string') {
    return Buffer.byteLength(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
  }
  if (chunk instanceof Uint8Array) return chunk.length
  return chunk === undefined || chunk === null || typeof chunk === 'function' ? 0 : undefined
}

/** Holds the end of a response back until `before` has resolved, if the response is no error. `before` never rejects. */
export function holdEnd(response: ServerResponse, before: () => Promise<void>): void {
  const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse
  const shadows = shadowing(response)
  let isHeld = false

  shadows.value('end', (...args: unknown[]) => {
    if (isHeld) return response
    if (response.statusCode >= 400) {
      shadows.restore()
      return end(...args)
    }
    isHeld = true
    if (!response.headersSent) {
      const length = lengthOf(args[0], args[1])
      const isBodiless = response.statusCode === 204 || response.statusCode === 304
      const isOpen = !response.hasHeader('content-length') && !response.hasHeader('transfer-encoding')
      if (length !== undefined && isOpen && !isBodiless) response.setHeader('content-length', length)
      // From here on the handler sees an answer that is under way, and can start no other.
      response.writeHead(response.statusCode)
    }
    shadows.getter('writableEnded', () => true)
    void before().then(() => {
      shadows.restore()
      end(...args)
    })
    return response
  })
}
