import { crc32, deflateSync } from 'node:zlib'
import type { LightMyRequestResponse } from 'fastify'
import sharp from 'sharp'
import type { Caller } from '../../support/app.ts'

export interface UploadOptions {
  readonly filename?: string
  readonly type?: string
  readonly alt?: string
}

/** A form with one file, as a browser sends it. */
export function upload(
  caller: Pick<Caller, 'send'>,
  bytes: Buffer,
  options: UploadOptions = {},
): Promise<LightMyRequestResponse> {
  const { filename = 'picture.png', type = 'image/png', alt } = options
  const boundary = 'x-boundary-of-this-form'
  const field = alt === undefined ? '' : `--${boundary}\r\ncontent-disposition: form-data; name="alt"\r\n\r\n${alt}\r\n`
  const head = `content-disposition: form-data; name="file"; filename="${filename}"\r\ncontent-type: ${type}`
  const payload = Buffer.concat([
    Buffer.from(`${field}--${boundary}\r\n${head}\r\n\r\n`),
    bytes,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ])
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` }
  return caller.send({ method: 'POST', url: '/api/v1/media', headers, payload })
}

/** A picture of one colour; each colour has other bytes. */
export function picture(width: number, height: number, color = '#336699'): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: color } })
    .png()
    .toBuffer()
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data])
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  sum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, sum])
}

/** A PNG of a few bytes that says it is enormous. */
export function pixelBomb(side: number): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(side, 0)
  header.writeUInt32BE(side, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(1000))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}
