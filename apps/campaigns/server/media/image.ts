import type { Sharp, SharpOptions } from 'sharp'
import { Problem } from '../problem.ts'

/** What an upload is by its first bytes, whatever it is called. SVG is none of these: it can carry scripts. */
export type ImageFormat = 'jpg' | 'png' | 'webp' | 'gif' | 'avif'

export const MIME_TYPES: Readonly<Record<ImageFormat, string>> = {
  jpg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  gif: 'image/gif',
  avif: 'image/avif',
}

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const JPEG = Buffer.from([0xff, 0xd8, 0xff])

/** Four letters at an offset. */
const letters = (bytes: Buffer, start: number): string => bytes.toString('latin1', start, start + 4)

function isAvif(bytes: Buffer): boolean {
  if (letters(bytes, 4) !== 'ftyp') return false
  const end = Math.min(bytes.readUInt32BE(0), bytes.length, 256)
  for (let start = 8; start + 4 <= end; start += 4) if (['avif', 'avis'].includes(letters(bytes, start))) return true
  return false
}

export function formatOf(bytes: Buffer): ImageFormat | undefined {
  if (bytes.length < 16) return undefined
  if (bytes.subarray(0, 8).equals(PNG)) return 'png'
  if (bytes.subarray(0, 3).equals(JPEG)) return 'jpg'
  if (letters(bytes, 0) === 'GIF8' && ['7a', '9a'].includes(bytes.toString('latin1', 4, 6))) return 'gif'
  if (letters(bytes, 0) === 'RIFF' && letters(bytes, 8) === 'WEBP') return 'webp'
  return isAvif(bytes) ? 'avif' : undefined
}

export interface ImageSize {
  readonly width: number
  readonly height: number
}

export interface ScaledImage extends ImageSize {
  readonly bytes: Uint8Array
}

export interface ProcessedImage {
  /** The picture in its own size, but no larger than 2,560 pixels a side. */
  readonly whole: ScaledImage
  /** Narrower ones, and the whole one's width at most. */
  readonly variants: readonly ScaledImage[]
}

/** Turns an upload into WebP pictures without what the camera wrote into it. Throws a 422 problem for what is no picture. */
export type ImageProcessor = (bytes: Buffer) => Promise<ProcessedImage>

type SharpFactory = (input: Buffer, options: SharpOptions) => Sharp

const WIDTHS = [480, 960, 1600] as const
const LARGEST_SIDE = 2560
/** All frames together. A few kilobytes can claim to be a picture of gigabytes. */
const MOST_PIXELS = 50_000_000
const SECONDS = 30
const QUALITY = 80

function processorOf(sharp: SharpFactory): ImageProcessor {
  const scale = async (bytes: Buffer, width: number, height?: number): Promise<ScaledImage> => {
    const picture = sharp(bytes, { limitInputPixels: MOST_PIXELS, animated: true, failOn: 'error' })
      // The turn that the camera noted is made here: the note itself is dropped with all others.
      .autoOrient()
      .resize({ width, ...(height === undefined ? {} : { height }), fit: 'inside', withoutEnlargement: true })
      .webp({ quality: QUALITY })
      .timeout({ seconds: SECONDS })
    const { data, info } = await picture.toBuffer({ resolveWithObject: true })
    return { bytes: data, width: info.width, height: info.pageHeight ?? info.height }
  }
  return async bytes => {
    try {
      const whole = await scale(bytes, LARGEST_SIDE, LARGEST_SIDE)
      const widths = [...new Set(WIDTHS.map(width => Math.min(width, whole.width)))]
      const variants: ScaledImage[] = []
      // One after the other: each holds the whole picture in memory.
      for (const width of widths) variants.push(await scale(bytes, width))
      return { whole, variants }
    } catch {
      const most = `${MOST_PIXELS / 1_000_000} million pixels`
      const expected = `a picture that can be decoded, of at most ${most} in all its frames`
      throw new Problem(422, `body.file: expected ${expected}, received one that cannot be`)
    }
  }
}

/** Undefined where sharp is not installed or does not run: it is optional, and not made for every machine. */
export async function loadImageProcessor(): Promise<ImageProcessor | undefined> {
  try {
    const { default: sharp } = await import('sharp')
    return processorOf(sharp)
  } catch {
    return undefined
  }
}
