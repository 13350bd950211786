import { defineConfig } from 'vitest/config'

// `source` makes the packages import each other's TypeScript, so that no test needs a build. Vitest reads conditions
// per project, for the browser-like and the server-like resolver apart.
const conditions = ['source', 'node', 'default']
const source = { resolve: { conditions }, ssr: { resolve: { conditions } } }

const project = (name: string, include: string, testTimeout: number) => ({
  ...source,
  // Tests kill, stop and fork real processes: a worker must be a process too.
  test: { name, include: [include], pool: 'forks' as const, testTimeout, hookTimeout: 60_000 },
})

const library = (name: string, testTimeout: number) =>
  project(name, `packages/palier/test/${name}/**/*.test.ts`, testTimeout)

const campaigns = () => {
  const { test, ...rest } = project('campaigns', 'apps/campaigns/test/**/*.test.ts', 60_000)
  // One PostgreSQL and one MariaDB for all of them, started only when one of them runs. A worker loads the server once:
  // loading it for each of its files would take longer than most of them.
  const globalSetup = ['apps/campaigns/test/support/database-servers.ts']
  return { ...rest, test: { ...test, globalSetup, isolate: false } }
}

export default defineConfig({
  ...source,
  test: {
    maxWorkers: 2,
    coverage: {
      provider: 'v8',
      include: ['packages/*/src/**/*.ts', 'apps/*/server/**/*.ts'],
      reporter: ['text-summary', 'json-summary'],
      reportsDirectory: 'coverage',
      // Measured only by a whole run, `npm test`: part of the tests covers part of the code.
      thresholds: { lines: 85, branches: 85 },
    },
    projects: [
      library('unit', 10_000),
      library('property', 60_000),
      library('contract', 60_000),
      library('fault', 90_000),
      project('http', 'packages/http/test/**/*.test.ts', 60_000),
      project('console', 'packages/console/test/**/*.test.ts', 60_000),
      project('examples', 'examples/test/**/*.test.ts', 60_000),
      campaigns(),
    ],
  },
})
