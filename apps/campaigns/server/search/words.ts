/**
 * What counts as a word, the same for what is written into an index and for what is looked for: letters and digits,
 * without case and accents. A query has nothing else in it, so no sign has a meaning to any engine.
 */
const MARKS = /\p{Mark}/gu
const WORD = /[\p{Letter}\p{Number}]+/gu

/** In UTF-16 units. Engines leave longer words out, or cut them. */
const LONGEST_WORD = 60
const MOST_WORDS = 12
const LONGEST_TEXT = 100_000

function wordsOf(text: string): readonly string[] {
  return text.normalize('NFKD').replace(MARKS, '').toLowerCase().match(WORD) ?? []
}

/** Cut between characters: half a pair is none that a database would take. */
function cut(text: string, length: number): string {
  return text.length <= length ? text : text.slice(0, length).replace(/[\ud800-\udbff]$/, '')
}

export interface QueryWord {
  readonly text: string
  /** Words that begin with it count as well. */
  readonly prefix: boolean
}

/** The first twelve words that are asked for. All are required; the last may be the beginning of one. */
export function queryWords(query: string): readonly QueryWord[] {
  const words = wordsOf(query).slice(0, MOST_WORDS)
  return words.map((word, index) => ({
    text: cut(word, LONGEST_WORD),
    prefix: index === words.length - 1 || word.length > LONGEST_WORD,
  }))
}

const SHORTEST_RANKED = 3

/**
 * Whether no word is long enough to tell one match from another: such a query matches a large part of everything, and
 * ranking would read all of that for each first letter that somebody types. The newest are given instead.
 */
export function isVague(words: readonly QueryWord[]): boolean {
  return words.every(({ text }) => text.length < SHORTEST_RANKED)
}

/** What search looks through for a page. The title stands there twice, so that its words count for more than others. */
export function pageText(title: string, body: string): string {
  const words = [...wordsOf(title), ...wordsOf(title), ...wordsOf(body)]
  return cut(words.map(word => cut(word, LONGEST_WORD)).join(' '), LONGEST_TEXT)
}

/** Any text as its words with spaces between them. */
export function plainWords(text: string): string {
  return wordsOf(text).join(' ')
}
