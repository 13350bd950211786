import { systemClock } from '../clock.ts'
import { candidatesOf } from '../create.ts'
import { detect } from '../detect.ts'
import { readSettings } from '../environment.ts'
import { PalierError } from '../errors.ts'
import { messageOf } from '../link.ts'
import { type Address, urlOf } from './address.ts'
import type { DiffLine, Snippet } from './contract.ts'
import { lineOf, readLines } from './env-file.ts'
import { leadOf } from './redis-candidates.ts'
import { type Environment, type Room, sentence } from './room.ts'

/** The lines that an installation writes. */
export type Values = Readonly<Record<string, string>>

export const SETTINGS_ID = 'PALIER_SETTINGS'

interface Wanted {
  readonly values: Values
  readonly address: Address | undefined
}

/** The values of what was chosen. Rejects with PALIER_CLOSED when its Redis is not named by anything any more. */
export function wantedOf(room: Room): Wanted {
  const { proposal, storage } = room.saved.results
  if (proposal === undefined)
    throw new PalierError('PALIER_CLOSED', 'nothing was chosen yet: make the step "proposal" first')
  const { backend, id } = proposal.chosen
  const dir: Values = storage?.usable === true ? { CACHE_DIR: storage.dir } : {}
  if (backend === 'memory') return { values: { CACHE_BACKEND: 'memory' }, address: undefined }
  if (backend === 'filesystem') return { values: { CACHE_BACKEND: 'filesystem', ...dir }, address: undefined }
  const lead = leadOf(room, id)
  if (lead === undefined)
    throw new PalierError(
      'PALIER_CLOSED',
      'the chosen Redis is not named by anything any more: make the step "redis" again',
    )
  return { values: { CACHE_BACKEND: 'redis', ...dir, REDIS_URL: urlOf(lead.address) }, address: lead.address }
}

/** Names whose value the process has from elsewhere than the file, where it goes before the file. */
export function overridden({ options, environment }: Room, before: string, values: Values): readonly string[] {
  const inFile = readLines(before)
  const own: Environment = options.environment ?? process.env
  return Object.keys(values).filter(name => {
    const said = own[name]
    return (
      said !== undefined && said !== '' && said !== inFile[name] && said !== values[name] && environment[name] === said
    )
  })
}

const SECRET = /PASS|SECRET|TOKEN|KEY|CREDENTIAL|PRIVATE|AUTH/i

/** A line without what is secret in it; lines that are not ours show their name alone. */
function shownLine(line: string, ours: Values): string {
  const [name, value] = Object.entries(readLines(line))[0] ?? []
  if (name === undefined || value === undefined) return line
  const hides = SECRET.test(name) || /:\/\/[^/\s]*@/.test(value)
  if (hides || (!Object.hasOwn(ours, name) && !name.startsWith('CACHE_'))) return `${name}=\${${name}}`
  return lineOf(name, value)
}

/** What changes, line by line; of what stays, only our own lines. */
export function diffOf(before: string, after: string, ours: Values): readonly DiffLine[] {
  const split = (text: string): string[] => text.split('\n').filter(line => line !== '')
  const [old, next] = [split(before), split(after)]
  const lines: DiffLine[] = []
  for (const line of old) {
    if (!next.includes(line)) lines.push({ mark: '-', text: shownLine(line, ours) })
  }
  for (const line of next) {
    const name = Object.keys(readLines(line))[0] ?? ''
    if (!old.includes(line)) lines.push({ mark: '+', text: shownLine(line, ours) })
    else if (Object.hasOwn(ours, name)) lines.push({ mark: ' ', text: shownLine(line, ours) })
  }
  return lines
}

/** The values as they may be shown: the password of a URL is a variable of its own. */
function shownValues({ values, address }: Wanted): Values {
  if (address?.password === undefined) return values
  const marked = urlOf({ ...address, password: 'PASSWORD_HERE' })
  return { ...values, REDIS_URL: marked.replace('PASSWORD_HERE', '${REDIS_PASSWORD}') }
}

const indented = (lines: readonly string[], by: number): string =>
  lines.map(line => `${' '.repeat(by)}${line}`).join('\n')

function codeOf({ saved }: Room): string | undefined {
  const { types, storage } = saved.results
  const cached = types?.types.filter(one => one.privacy !== 'never') ?? []
  const lines = cached.map(({ name, ttl, grace, privacy }) => {
    const scope = privacy === 'public' ? '' : `, scope: '${privacy}'`
    return `    ${JSON.stringify(name)}: { ttl: ${ttl}, grace: ${grace}${scope} },`
  })
  const files =
    storage?.usable === true
      ? `  files: { maxFiles: ${storage.budget.files}, maxBytes: ${storage.budget.bytes} },\n`
      : ''
  if (lines.length === 0 && files === '') return undefined
  const body = lines.length === 0 ? '' : `  types: {\n${lines.join('\n')}\n  },\n`
  return `createCache({\n${files}${body}})\n`
}

export function snippetsOf(room: Room, wanted: Wanted): readonly Snippet[] {
  const shown = shownValues(wanted)
  const pairs = Object.entries(shown)
  const yaml = pairs.map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
  const helm = pairs.map(
    ([name, value]) =>
      `- name: ${name}\n  value: ${JSON.stringify(value.replace('${REDIS_PASSWORD}', '$(REDIS_PASSWORD)'))}`,
  )
  const redis = wanted.address === undefined ? '' : ' --redis-url "$REDIS_URL"'
  const code = codeOf(room)
  return [
    { id: 'env', title: sentence('snippet.env'), text: pairs.map(([name, value]) => `${name}=${value}\n`).join('') },
    {
      id: 'compose',
      title: sentence('snippet.compose'),
      text: `services:\n  app:\n    environment:\n${indented(yaml, 6)}\n`,
    },
    { id: 'helm', title: sentence('snippet.helm'), text: `env:\n${indented(helm.join('\n').split('\n'), 2)}\n` },
    {
      id: 'cpanel',
      title: sentence('snippet.cpanel'),
      text: pairs.map(([name, value]) => `${name}\t${value}\n`).join(''),
    },
    { id: 'command', title: sentence('snippet.command'), text: `npx palier init --yes${redis}\n` },
    ...(code === undefined ? [] : [{ id: 'code', title: sentence('snippet.code'), text: code } as const]),
  ]
}

const BOOT_BUDGET = 5000

/** Starts a cache's search with these values, as the application would: what it does not find, the application would not find. */
export async function bootSettings(environment: Environment, values: Values): Promise<{ ok: boolean; why?: string }> {
  try {
    const settings = readSettings({}, { ...environment, ...values })
    const looked = candidatesOf({}, settings).map(one => ({ ...one, open: () => undefined }))
    const found = await detect(looked, settings.backend.value, systemClock, BOOT_BUDGET)
    const step = found.trace.find(one => one.outcome === 'refused')
    return found.fellBack
      ? { ok: false, why: step === undefined ? found.why : `${step.why} (${step.hint ?? ''})` }
      : { ok: true }
  } catch (error) {
    return { ok: false, why: messageOf(error) }
  }
}
