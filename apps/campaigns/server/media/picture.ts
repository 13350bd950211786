import Type, { type Static } from 'typebox'
import type { MediaTable } from '../database/schema.ts'

/** One width of a picture, as browsers choose among them. */
export const PictureVariant = Type.Object({ width: Type.Integer(), height: Type.Integer(), url: Type.String() })
export type PictureVariant = Static<typeof PictureVariant>

/** As the row keeps it. */
export interface StoredVariant {
  readonly width: number
  readonly height: number
  readonly path: string
}

export const mediaUrl = (path: string): string => `/media/${path}`

export function storedVariants({ variants }: Pick<MediaTable, 'variants'>): readonly StoredVariant[] {
  return JSON.parse(variants) as StoredVariant[]
}

export function variantsOf(row: Pick<MediaTable, 'variants'>): PictureVariant[] {
  return storedVariants(row).map(({ width, height, path }) => ({ width, height, url: mediaUrl(path) }))
}
