import { badOption, type ClearTarget } from 'palier'
import { type Fields, isFields, onlyFields, optionalText, textOf } from './input.ts'

/** Which key of that name is meant, as a query says it. */
export function keyOptions(query: URLSearchParams): { readonly type?: string; readonly subject?: string } {
  return {
    ...optional('type', query.get('type')),
    ...optional('subject', query.get('subject')),
  }
}

function optional<N extends string>(name: N, value: unknown): { readonly [P in N]?: string } {
  const text = optionalText(name, value)
  return (text === undefined ? {} : { [name]: text }) as { readonly [P in N]?: string }
}

export function patternTarget(fields: Fields): ClearTarget {
  return { kind: 'pattern', pattern: textOf('pattern', fields['pattern']), ...optional('type', fields['type']) }
}

const FIELDS: Readonly<Record<ClearTarget['kind'], readonly string[]>> = {
  all: [],
  type: ['type'],
  tag: ['tag'],
  pattern: ['pattern', 'type'],
  key: ['key', 'type', 'subject'],
}

const isKind = (kind: unknown): kind is ClearTarget['kind'] => typeof kind === 'string' && Object.hasOwn(FIELDS, kind)

/** What a body says is to be cleared; throws PALIER_BAD_OPTION naming the field that is wrong. */
export function targetOf(value: unknown): ClearTarget {
  if (!isFields(value)) throw badOption('target', 'an object such as { "kind": "tag", "tag": "org:1" }', value)
  const { kind } = value
  if (!isKind(kind)) throw badOption('target.kind', Object.keys(FIELDS).join(', '), kind)
  onlyFields('target', value, ['kind', ...FIELDS[kind]])
  switch (kind) {
    case 'all':
      return { kind }
    case 'type':
      return { kind, type: textOf('target.type', value['type']) }
    case 'tag':
      return { kind, tag: textOf('target.tag', value['tag']) }
    case 'pattern':
      return patternTarget(value)
    case 'key':
      return {
        kind,
        key: textOf('target.key', value['key']),
        ...optional('type', value['type']),
        ...optional('subject', value['subject']),
      }
  }
}

/** A target as people read it: of an entry of somebody, not whose. */
export function described(target: ClearTarget): string {
  switch (target.kind) {
    case 'all':
      return 'everything'
    case 'type':
      return `type ${target.type}`
    case 'tag':
      return `tag ${target.tag}`
    case 'pattern':
      return `pattern ${target.pattern}${target.type === undefined ? '' : ` of type ${target.type}`}`
    case 'key': {
      const whose = target.subject === undefined ? '' : ' of one subject'
      return `key ${target.key}${target.type === undefined ? '' : ` of type ${target.type}`}${whose}`
    }
  }
}
