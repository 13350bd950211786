import Type, { type Static } from 'typebox'
import { PictureVariant } from '../media/picture.ts'

/** Pages and revisions as they are asked for and answered. */
const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(type: T) => Type.Union([type, Type.Null()])
const Id = Type.String({ minLength: 1, maxLength: 36 })

export const CoverSchema = Type.Object({
  media_id: Type.String(),
  alt: Type.String(),
  url: Type.String(),
  width: nullable(Type.Integer()),
  height: nullable(Type.Integer()),
  variants: Type.Array(PictureVariant),
})
export type Cover = Static<typeof CoverSchema>

const summary = {
  id: Type.String(),
  slug: Type.String(),
  title: Type.String(),
  status: Type.Enum(['draft', 'published']),
  author_id: nullable(Type.String()),
  author_name: nullable(Type.String()),
  cover: nullable(CoverSchema),
  version: Type.Integer(),
  published_version: nullable(Type.Integer()),
  published_at: nullable(Type.Integer()),
  created_at: Type.Integer(),
  updated_at: Type.Integer(),
}

/** In lists, without the text. */
export const PageSummarySchema = Type.Object(summary)
export type PageSummary = Static<typeof PageSummarySchema>

/** A page as editors see it: the working draft, which visitors see as of `published_version` only. */
export const PageSchema = Type.Object({ ...summary, body: Type.String() })
export type Page = Static<typeof PageSchema>

const revision = {
  version: Type.Integer(),
  title: Type.String(),
  author_id: nullable(Type.String()),
  author_name: nullable(Type.String()),
  created_at: Type.Integer(),
}
export const RevisionSchema = Type.Object(revision)
export type Revision = Static<typeof RevisionSchema>

export const RevisionTextSchema = Type.Object({
  ...revision,
  body: Type.String(),
  cover_media_id: nullable(Type.String()),
})
export type RevisionText = Static<typeof RevisionTextSchema>

/** What visitors get: the revision that was published, whatever the draft says by now. */
export const PublicPageSchema = Type.Object({
  slug: Type.String(),
  title: Type.String(),
  description: Type.String({ description: 'The beginning of the text, without marks.' }),
  html: Type.String(),
  cover: nullable(CoverSchema),
  version: Type.Integer(),
  published_at: Type.Integer(),
  updated_at: Type.Integer(),
})
export type PublicPage = Static<typeof PublicPageSchema>

// PostgreSQL has no text with a NUL in it.
const Title = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^[^\\u0000]*[^\\u0000\\s][^\\u0000]*$',
  expected: 'a title of 1 to 200 characters',
})
const Body = Type.String({
  maxLength: 200_000,
  pattern: '^[^\\u0000]*$',
  expected: 'a text in Markdown of at most 200000 characters',
})
const Slug = Type.String({ minLength: 1, maxLength: 200, description: 'Brought into the form of an address.' })
const Version = Type.Integer({ minimum: 1, maximum: 2_147_483_647 })
const closed = { additionalProperties: false } as const

export const NewPage = Type.Object(
  {
    title: Title,
    body: Type.Optional(Body),
    slug: Type.Optional(Slug),
    cover_media_id: Type.Optional(nullable(Id)),
  },
  closed,
)

export const PageChange = Type.Object(
  {
    version: Type.Integer({ minimum: 1, maximum: 2_147_483_647, description: 'The version that was edited.' }),
    title: Type.Optional(Title),
    body: Type.Optional(Body),
    slug: Type.Optional(Slug),
    cover_media_id: Type.Optional(nullable(Id)),
  },
  closed,
)
export type PageChange = Static<typeof PageChange>

/** The version that somebody looked at; any unless said. */
export const Versioned = Type.Union([Type.Object({ version: Type.Optional(Version) }, closed), Type.Null()])

export interface PageInput {
  readonly title: string
  readonly body: string
  /** Made of the title unless given. */
  readonly slug?: string
  readonly cover_media_id: string | null
}
