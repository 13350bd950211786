/** What is to be made. The same data set gives the same rows, on every engine. */
export interface DataSet {
  readonly contacts: number
  readonly messages: number
  readonly seed: number
  /** No time in the data is later, but for those of campaigns that are still to come. Milliseconds since 1970. */
  readonly now: number
}

/** Each kind of row draws from a stream of its own. */
export const STREAMS = {
  account: 1,
  categories: 2,
  people: 3,
  details: 4,
  memberships: 5,
  campaigns: 6,
  messages: 7,
  pages: 8,
  records: 9,
} as const

export const HOUR = 3_600_000
export const DAY = 86_400_000
