import { badOption } from '../errors.ts'
import {
  type DeclaredType,
  type PlannedType,
  type Preset,
  PRESETS,
  type Privacy,
  type TypeEdit,
  type TypesInput,
  type TypesResult,
} from './contract.ts'
import { sentence } from './room.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const DAY = 86_400 * SECOND
const LONGEST = 30 * DAY

interface Plan {
  readonly ttl: number
  readonly grace: number
  readonly privacy: Privacy
}

/** What is one person's own is cached only where somebody says so. */
const guarded = ({ scope = 'public' }: DeclaredType): Privacy => (scope === 'user' ? 'never' : scope)

const PLANS: Readonly<Record<Preset, (type: DeclaredType) => Plan>> = {
  prudent: type => ({ ttl: Math.min(type.ttl, MINUTE), grace: 0, privacy: guarded(type) }),
  balanced: type => ({ ttl: type.ttl, grace: type.grace ?? Math.min(type.ttl, 10 * MINUTE), privacy: guarded(type) }),
  aggressive: type => ({
    ttl: Math.min(type.ttl * 4, Math.max(type.ttl, DAY)),
    grace: Math.max(type.grace ?? 0, DAY),
    privacy: type.scope ?? 'public',
  }),
}

const SAMPLE = `import { createCache } from 'palier'

const cache = createCache({
  types: {
    page: { ttl: '5m', grace: '10m' },
  },
})

const html = await cache.type('page').getOrSet('/products', () => render('/products'))
`

function milliseconds(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= LONGEST) return value
  throw badOption(name, `milliseconds from ${least} to ${LONGEST}`, value)
}

const PRIVACIES: readonly Privacy[] = ['public', 'role', 'user', 'never']

function checkEdit(edit: TypeEdit, types: readonly DeclaredType[]): void {
  const declared = types.find(one => one.name === edit.name)
  if (declared === undefined) throw badOption('edits.name', types.map(one => one.name).join(', '), edit.name)
  const field = (name: string): string => `edits.${edit.name}.${name}`
  if (edit.ttl !== undefined) milliseconds(field('ttl'), edit.ttl, SECOND)
  if (edit.grace !== undefined) milliseconds(field('grace'), edit.grace, 0)
  if (edit.privacy === undefined) return
  const { scope = 'public' } = declared
  // The code gives the subject of each call: only what it declared works, or nothing at all.
  const allowed = PRIVACIES.filter(one => one === scope || one === 'never')
  if (!allowed.includes(edit.privacy)) throw badOption(field('privacy'), allowed.join(' or '), edit.privacy)
}

function planned(declared: DeclaredType, preset: Preset, edit: TypeEdit | undefined): PlannedType {
  const plan = PLANS[preset](declared)
  return {
    name: declared.name,
    description: declared.description,
    ttl: edit?.ttl ?? plan.ttl,
    grace: edit?.grace ?? plan.grace,
    privacy: edit?.privacy ?? plan.privacy,
    declared,
    edited: edit !== undefined && (edit.ttl ?? edit.grace ?? edit.privacy) !== undefined,
  }
}

/** Pure. Throws PALIER_BAD_OPTION naming the field. */
export function planTypes(
  types: readonly DeclaredType[],
  { preset = 'balanced', edits = [] }: TypesInput,
): TypesResult {
  if (!PRESETS.includes(preset)) throw badOption('preset', PRESETS.join(', '), preset)
  for (const edit of edits) checkEdit(edit, types)
  return {
    preset,
    presets: PRESETS.map(id => ({ id, title: sentence(`preset.${id}`), who: sentence(`preset.${id}.who`) })),
    types: types.map(one =>
      planned(
        one,
        preset,
        edits.find(edit => edit.name === one.name),
      ),
    ),
    sample: types.length === 0 ? SAMPLE : undefined,
  }
}
