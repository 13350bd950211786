import { slugOf } from '../content/slug.ts'
import type { ContentTable, RevisionTable } from '../database/schema.ts'
import { uuidv7 } from '../ids.ts'
import { pageText } from '../search/words.ts'
import { type DataSet, DAY, STREAMS } from './data-set.ts'
import { createRandom, type Random } from './random.ts'

/** Pages of an imaginary shop: most of them published, some as drafts, some published with a newer draft. */
const TITLES = [
  ...['Opening hours', 'Delivery', 'Returns', 'Gift cards', 'Loyalty programme', 'Our shops', 'Careers', 'Press'],
  ...['Privacy', 'Terms of sale', 'Spring collection', 'Été : les nouveautés', 'Size guide', 'Care instructions'],
  ...['Repairs', 'Made to measure', 'Events', 'Wholesale', 'Student discount', 'Newsletter', 'Contact', 'Sitemap'],
  ...['Winter sale', 'Questions and answers'],
] as const
const SENTENCES = [
  'Everything here is a sample: neither the shop nor its goods exist.',
  'Orders placed before noon leave the same day.',
  'Write to us, and somebody answers within a working day.',
  'Bring the receipt, and we exchange it within thirty days.',
  'Les retours sont gratuits pendant trente jours.',
  'Members collect a point for every euro.',
] as const

function textOf(random: Random, title: string): string {
  const paragraphs = Array.from({ length: 2 + random.below(3) }, () =>
    Array.from({ length: 2 + random.below(3) }, () => random.pick(SENTENCES)).join(' '),
  )
  return [`## ${title}`, ...paragraphs].join('\n\n')
}

export interface Pages {
  readonly content: readonly ContentTable[]
  readonly revisions: readonly RevisionTable[]
}

export function makePages({ seed, now }: DataSet): Pages {
  const random = createRandom(seed, STREAMS.pages)
  const revisions: RevisionTable[] = []
  const content = TITLES.map((title, index): ContentTable => {
    const created_at = now - (300 - 12 * index) * DAY - random.below(DAY)
    const id = uuidv7(created_at, index, random.hex16())
    const versions = 1 + random.below(4)
    const timeOf = (version: number): number => created_at + Math.floor(((now - created_at) * (version - 1)) / versions)
    const none = { cover_media_id: null, author_id: null }
    let body = ''
    for (let version = 1; version <= versions; version++) {
      body = textOf(random, title)
      revisions.push({ content_id: id, version, title, body, ...none, created_at: timeOf(version) })
    }
    const fate = random.next()
    const published_version = fate < 0.2 ? null : fate < 0.4 ? Math.max(1, versions - 1) : versions
    return {
      id,
      slug: slugOf(title),
      title,
      body,
      status: published_version === null ? 'draft' : 'published',
      ...none,
      version: versions,
      published_version,
      published_at: published_version === null ? null : timeOf(published_version),
      search_text: pageText(title, body),
      created_at,
      updated_at: timeOf(versions),
    }
  })
  return { content, revisions }
}
