import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, '../../../..')
// Inside the package, so that `palier` resolves as it does for a reader; under a name that is ignored.
const scratch = join(here, '../.cache/docs')
const PAGES = [
  ...['README.md', 'packages/palier/README.md', 'packages/http/README.md', 'packages/console/README.md'],
  ...['docs/guide.md', 'docs/locks-and-limits.md', 'docs/http.md', 'docs/sessions.md', 'docs/management.md'],
  ...['docs/monitoring.md', 'docs/setup.md'],
]

/** What the pages take for granted: the reader's own functions. */
const ASSUMED = `
interface Kpis { contacts: number }
declare function computeKpis(signal: AbortSignal): Promise<Kpis>
declare function loadUser(id: string, signal: AbortSignal): Promise<User>
declare function loadProfile(id: string): Promise<{ name: string }>
declare function loadProduct(id: string): Promise<{ id: string }>
declare function searchProducts(text: string, options: { page: number }): Promise<string[]>
declare function listKpis(): Kpis
declare function addContact(): { id: string }
declare function userOf(request: object): string | undefined
declare function profileOf(user: string | undefined): { name: string }
declare function roleOfSession(request: Request): 'admin' | 'operator' | 'viewer' | null
declare function logIn(request: object, response: object): void
declare function computeAndStoreTheDashboard(): Promise<void>
declare const userId: string
declare const id: string
export {}
`

function snippet(code: string): string {
  const imported = /import \{([^}]*)\} from 'palier'/.exec(code)?.[1] ?? ''
  const missing = ['cacheType', 'createCache'].filter(name => !imported.includes(name))
  const parts = [`import { ${missing.join(', ')} } from 'palier'\n`]
  if (!code.includes('interface User')) parts.push('interface User { id: string; orgId: string }\n')
  if (!code.includes('const cache =')) parts.push('declare const cache: ReturnType<typeof createCache>\n')
  if (!code.includes('const app =')) parts.push("declare const app: import('express').Express\n")
  return `${parts.join('')}${ASSUMED}${code}`
}

afterAll(() => rmSync(scratch, { recursive: true, force: true }))

describe('the documentation', () => {
  test('shows code that compiles', () => {
    mkdirSync(scratch, { recursive: true })
    let count = 0
    for (const page of PAGES) {
      for (const [, code = ''] of readFileSync(join(root, page), 'utf8').matchAll(/```ts\n(.*?)```/gs)) {
        writeFileSync(join(scratch, `${page.replace(/\W/g, '-')}-${++count}.ts`), snippet(code))
      }
    }
    expect(count).toBeGreaterThan(4)
    const config = { extends: '../../tsconfig.json', include: ['.'], compilerOptions: { noUnusedLocals: false } }
    writeFileSync(join(scratch, 'tsconfig.json'), JSON.stringify(config))
    const tsc = join(root, 'node_modules/.bin/tsc')
    const { stdout } = spawnSync(tsc, ['-p', scratch, '--noEmit'], { encoding: 'utf8' })
    expect(stdout).toBe('')
  }, 60_000)

  test('links only to pages that exist', () => {
    const pages = [
      ...PAGES,
      'CONTRIBUTING.md',
      ...readdirSync(join(root, 'docs'), { recursive: true }).map(name => `docs/${String(name)}`),
    ]
    const broken: string[] = []
    for (const page of pages.filter(name => name.endsWith('.md'))) {
      for (const [, link = ''] of readFileSync(join(root, page), 'utf8').matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
        try {
          readFileSync(join(root, dirname(page), link))
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EISDIR') broken.push(`${page}: ${link}`)
        }
      }
    }
    expect(broken).toEqual([])
  })
})
