import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

// The layers hold because the linter refuses what crosses them. These tests lint a tree made of files that do, each
// in its place, with the configuration of the repository.
const root = fileURLToPath(new URL('../../../../', import.meta.url))
const oxlint = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'oxlint.cmd' : 'oxlint')
const source = 'packages/palier/src'

/** What each file wants to import; `refused` must be reported, `allowed` must not. */
const CASES: readonly { file: string; refused: readonly string[]; allowed: readonly string[] }[] = [
  {
    file: 'apps/campaigns/server/contacts/store.ts',
    refused: ['palier', '@palier/http', '@palier/console'],
    allowed: ['../caching.ts', '../cache-map.ts', 'kysely'],
  },
  {
    file: 'apps/campaigns/web/src/screens/contacts/list.ts',
    refused: ['palier', '@palier/console', 'node:fs', '../../../../server/contacts/store.ts'],
    allowed: ['@palier/design', '../../data/client.ts', 'react'],
  },
  {
    file: 'apps/campaigns/server/setup/run.ts',
    refused: ['../../../../packages/palier/src/setup.ts', 'palier/dist/setup.js'],
    allowed: ['palier/setup', '@palier/console', '../site.ts'],
  },
  {
    file: `${source}/key.ts`,
    refused: ['./store.ts', './cache.ts', './stores/memory.ts', './index.ts', 'node:crypto', 'node:fs', 'redis', 'zod'],
    allowed: ['./errors.ts', './duration.ts', './eviction/sketch.ts'],
  },
  {
    file: `${source}/eviction/sketch.ts`,
    refused: ['../store.ts', '../cache.ts', '../stores/memory.ts', 'node:crypto', 'lru-cache'],
    allowed: ['../errors.ts', '../entry.ts', './window.ts'],
  },
  {
    file: `${source}/store.ts`,
    refused: ['./cache.ts', './stores/memory.ts', './create.ts', 'node:fs', 'node:fs/promises', 'ioredis', 'zod'],
    allowed: ['./bus.ts', './key.ts', './codec-json.ts', 'node:zlib'],
  },
  {
    file: `${source}/codec-json.ts`,
    refused: ['./tiers.ts', './stores/redis/store.ts', 'node:fs', 'redis'],
    allowed: ['./codec.ts', './errors.ts', 'node:zlib'],
  },
  {
    file: `${source}/cache.ts`,
    refused: [
      ...['./stores/memory.ts', './stores/file/store.ts', './create.ts', './index.ts', './testing.ts', './cli/main.ts'],
      ...['node:fs', 'node:fs/promises', 'redis', 'ioredis', '@redis/client', 'zod', 'palier', '../../../apps/a.ts'],
    ],
    allowed: ['./tiers.ts', './store.ts', './key.ts', './eviction/sketch.ts', 'node:crypto'],
  },
  {
    file: `${source}/stores/memory.ts`,
    refused: ['../cache.ts', '../link.ts', '../create.ts', '../index.ts', '../cli/main.ts', 'zod', 'palier'],
    allowed: ['../store.ts', '../record.ts', '../errors.ts', '../eviction/sketch.ts', './shared.ts', 'node:fs'],
  },
  {
    file: `${source}/stores/redis/store.ts`,
    refused: ['../../cache.ts', '../../tiers.ts', '../../index.ts', 'zod'],
    allowed: ['../../store.ts', '../../bus.ts', './bus.ts', '../memory.ts', 'redis', 'ioredis', 'node:net'],
  },
  {
    file: `${source}/monitor/fleet.ts`,
    refused: [
      ...['../engine.ts', '../core.ts', '../create.ts', '../index.ts', '../stores/memory.ts', '../cli/main.ts'],
      ...['node:fs', 'redis', '@opentelemetry/api', 'palier'],
    ],
    allowed: ['../cache.ts', '../documents.ts', '../stats.ts', '../advice/advise.ts', './counts.ts', 'node:os'],
  },
  {
    file: `${source}/create.ts`,
    refused: ['palier', '../../../apps/campaigns/server/main.ts'],
    allowed: ['./cache.ts', './stores/memory.ts', 'node:fs'],
  },
  {
    file: 'apps/campaigns/server/caching.ts',
    refused: [
      '../../../packages/palier/src/index.ts',
      '../../../packages/palier/dist/index.js',
      'palier/dist/index.js',
    ],
    allowed: ['palier', 'palier/testing', 'fastify', './settings.ts'],
  },
  {
    file: 'bench/src/main.ts',
    refused: ['../../packages/palier/src/cache.ts', 'palier/src/cache.ts'],
    allowed: ['palier', 'palier/testing', 'lru-cache'],
  },
]

/** The ways to import: as values, as types, by passing on, and at run time. */
const FORMS: readonly ((name: string, number: number) => string)[] = [
  (name, number) => `import { a as a${number} } from '${name}'\nexport const d${number} = a${number}`,
  (name, number) => `import type { A as A${number} } from '${name}'\nexport type B${number} = A${number}`,
  (name, number) => `export { b as b${number} } from '${name}'`,
  (name, number) => `export const c${number} = () => import('${name}')`,
]

const importing = (names: readonly string[]): string =>
  names.flatMap((name, number) => FORMS.map(form => `${form(name, number)}\n`)).join('')

/** Other rules of the house: a file, its text, and the one rule that must speak or stay silent. */
const FINDINGS: readonly { title: string; file: string; text: string; rule: string; found: number }[] = [
  {
    title: 'two files that import each other are reported',
    file: `${source}/circle.ts`,
    text: "import { b } from './circle-back.ts'\nexport const a = () => b\n",
    rule: 'no-cycle',
    found: 1,
  },
  {
    title: 'passing on a whole module is reported',
    file: `${source}/whole.ts`,
    text: "export * from './circle.ts'\n",
    rule: 'no-barrel-file',
    found: 1,
  },
  {
    title: 'passing on names is not',
    file: `${source}/named.ts`,
    text: "export { a } from './circle.ts'\n",
    rule: 'no-barrel-file',
    found: 0,
  },
  {
    title: 'a default export is reported',
    file: `${source}/default.ts`,
    text: 'export default 1\n',
    rule: 'no-default-export',
    found: 1,
  },
  {
    title: 'any is reported',
    file: `${source}/any.ts`,
    text: 'export const a: any = 1\n',
    rule: 'no-explicit-any',
    found: 1,
  },
  {
    title: 'a non-null assertion is reported',
    file: `${source}/non-null.ts`,
    text: 'export const a = (b?: string): string => b!\n',
    rule: 'no-non-null-assertion',
    found: 1,
  },
  {
    title: 'the library does not write to the console',
    file: `${source}/console.ts`,
    text: "console.log('a')\n",
    rule: 'no-console',
    found: 1,
  },
  {
    title: 'the command line does',
    file: `${source}/cli/print.ts`,
    text: "console.log('a')\n",
    rule: 'no-console',
    found: 0,
  },
]

interface Diagnostic {
  readonly code: string
  readonly message: string
  readonly filename: string
}

let tree: string
let diagnostics: readonly Diagnostic[]

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), 'palier-layers-'))
  cpSync(join(root, '.oxlintrc.json'), join(tree, '.oxlintrc.json'))
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(tree, file)), { recursive: true })
    writeFileSync(join(tree, file), text)
  }
  for (const { file, refused, allowed } of CASES) write(file, importing([...refused, ...allowed]))
  for (const { file, text } of FINDINGS) write(file, text)
  write(`${source}/circle-back.ts`, "import { a } from './circle.ts'\nexport const b = () => a\n")
  const run = spawnSync(oxlint, ['--format=json'], { cwd: tree, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  if (!run.stdout.startsWith('{'))
    throw new Error(`oxlint did not run: ${run.stderr || run.stdout}`, { cause: run.error })
  diagnostics = (JSON.parse(run.stdout) as { diagnostics: Diagnostic[] }).diagnostics
})

afterAll(() => rmSync(tree, { recursive: true, force: true }))

const messagesOf = (file: string, rule: string): string[] =>
  diagnostics.filter(found => found.filename === file && found.code.includes(rule)).map(found => found.message)

describe.each(CASES)('$file', ({ file, refused, allowed }) => {
  const timesRefused = (name: string): number =>
    messagesOf(file, 'no-restricted-imports').filter(message => message.includes(`'${name}'`)).length

  test.each(refused)('may not import %s, in whatever form', name => {
    expect(timesRefused(name)).toBe(FORMS.length)
  })

  test.each(allowed)('may import %s', name => {
    expect(timesRefused(name)).toBe(0)
  })
})

test.each(FINDINGS)('$title', ({ file, rule, found }) => {
  expect(messagesOf(file, rule)).toHaveLength(found)
})
