/*
 * A strict reader of the Prometheus text format 0.0.4, and the rules of `promtool check metrics`, so that the tests need
 * no program that is not there. What the format allows and this library never writes (timestamps, comments) is refused.
 */

export interface ParsedSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface ParsedFamily {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly samples: readonly ParsedSample[]
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const HELP = new RegExp(`^# HELP (${NAME}) (.*)$`)
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary|untyped)$`)
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`)
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)/y

function labelsOf(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {}
  LABEL.lastIndex = 0
  let end = 0
  for (let found = LABEL.exec(text); found !== null && found[0] !== ''; found = LABEL.exec(text)) {
    const [all, name = '', value = ''] = found
    if (name in labels) throw new Error(`the label ${name} comes twice: ${line}`)
    labels[name] = value.replace(/\\(\\|"|n)/g, (_all, what: string) => (what === 'n' ? '\n' : what))
    end = found.index + all.length
  }
  if (end !== text.length || text.endsWith(',')) throw new Error(`labels that cannot be read: ${line}`)
  return labels
}

function numberOf(text: string, line: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY
  if (text === '-Inf') return Number.NEGATIVE_INFINITY
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) throw new Error(`a value that is no number: ${line}`)
  return Number(text)
}

const belongs = (sample: string, { name, type }: ParsedFamily): boolean =>
  type === 'histogram' ? ['_bucket', '_sum', '_count'].some(end => sample === name + end) : sample === name

const series = ({ name, labels }: ParsedSample): string =>
  JSON.stringify([name, ...Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))])

/** Reads a page of metrics; throws for anything that is not exactly as the format wants it. */
export function parseMetrics(text: string): ReadonlyMap<string, ParsedFamily> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  const families = new Map<string, ParsedFamily & { samples: ParsedSample[] }>()
  const seen = new Set<string>()
  let help: readonly [string, string] | undefined
  let current: (ParsedFamily & { samples: ParsedSample[] }) | undefined
  for (const line of text.slice(0, -1).split('\n')) {
    const [, helped, words = ''] = HELP.exec(line) ?? []
    const [, typed, type = ''] = TYPE.exec(line) ?? []
    const [, name, inside = '', value = ''] = SAMPLE.exec(line) ?? []
    if (helped !== undefined) help = [helped, words]
    else if (typed !== undefined) {
      if (help?.[0] !== typed) throw new Error(`no HELP before: ${line}`)
      if (families.has(typed)) throw new Error(`a family that comes twice: ${line}`)
      current = { name: typed, help: help[1], type, samples: [] }
      families.set(typed, current)
    } else if (name !== undefined && !line.startsWith('#')) {
      if (current === undefined || !belongs(name, current)) throw new Error(`a sample of no family: ${line}`)
      const sample = { name, labels: labelsOf(inside, line), value: numberOf(value, line) }
      if (seen.has(series(sample))) throw new Error(`a series that comes twice: ${line}`)
      seen.add(series(sample))
      current.samples.push(sample)
    } else throw new Error(`a line that cannot be read: ${line}`)
  }
  for (const family of families.values()) if (family.type === 'histogram') checkHistogram(family)
  return families
}

/** Buckets grow, end with +Inf, and that is the count. */
function checkHistogram({ name, samples }: ParsedFamily): void {
  const groups = new Map<string, ParsedSample[]>()
  for (const sample of samples) {
    const { le: _le, ...labels } = sample.labels
    const key = series({ ...sample, name, labels })
    groups.set(key, [...(groups.get(key) ?? []), sample])
  }
  for (const [key, group] of groups) {
    const buckets = group.filter(one => one.name === `${name}_bucket`)
    const bounds = buckets.map(one => numberOf(one.labels['le'] ?? '', key))
    const rises = (values: readonly number[], strictly: boolean): boolean =>
      values.every((value, i) => i === 0 || (strictly ? value > (values[i - 1] ?? 0) : value >= (values[i - 1] ?? 0)))
    const count = group.find(one => one.name === `${name}_count`)?.value
    if (!rises(bounds, true) || bounds.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`bounds of ${key}`)
    if (
      !rises(
        buckets.map(one => one.value),
        false,
      )
    )
      throw new Error(`buckets of ${key} do not grow`)
    if (count === undefined || buckets.at(-1)?.value !== count) throw new Error(`the count of ${key}`)
    if (!group.some(one => one.name === `${name}_sum`)) throw new Error(`no sum of ${key}`)
  }
}

const OTHER_UNITS =
  /_(milliseconds|microseconds|nanoseconds|minutes|hours|days|weeks|ms|us|ns|kilobytes|megabytes|gigabytes|kb|mb|gb|bits|percent|percentage)(_|$)/

/** What promtool would say of the names; nothing when it is content. */
export function lintMetrics(families: ReadonlyMap<string, ParsedFamily>): readonly string[] {
  const found: string[] = []
  for (const { name, help, type, samples } of families.values()) {
    const say = (text: string): void => void found.push(`${name}: ${text}`)
    if (help === '') say('no help text')
    if (type === 'counter' && !name.endsWith('_total')) say('counter metrics should have "_total" suffix')
    if (type !== 'counter' && name.endsWith('_total')) say('non-counter metrics should not have "_total" suffix')
    if (/_(count|sum|bucket)$/.test(name)) say('a suffix that is reserved')
    if (/(^|_)(counter|gauge|histogram|summary)(_|$)/.test(name)) say('metric name should not include type')
    if (OTHER_UNITS.test(name.replace(/_total$/, ''))) say('use base unit')
    if (name.includes(':')) say('metric names should not contain ":"')
    if (/[a-z][A-Z]/.test(name)) say('metric names should be written in "snake_case"')
    for (const { labels } of samples) {
      for (const label of Object.keys(labels)) {
        if (/[a-z][A-Z]/.test(label)) say(`label ${label} should be written in "snake_case"`)
        if (type !== 'histogram' && label === 'le') say('non-histogram metrics should not have "le" label')
        if (label.startsWith('__')) say(`label ${label} is reserved`)
      }
      if (type === 'counter' && samples.some(one => one.value < 0)) say('a counter below 0')
    }
  }
  return found
}

/** The value of one series; throws when there is none. */
export function metric(
  families: ReadonlyMap<string, ParsedFamily>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ''))
  const found = family?.samples.filter(
    one => one.name === name && Object.entries(labels).every(([label, value]) => one.labels[label] === value),
  )
  if (found === undefined || found.length === 0) throw new Error(`no ${name} ${JSON.stringify(labels)}`)
  return found.reduce((sum, one) => sum + one.value, 0)
}
