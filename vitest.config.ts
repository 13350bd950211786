import { statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { defineConfig } from 'vitest/config'

// `source` makes the packages import each other's TypeScript, so that no test needs a build. Vitest reads conditions
// per project, for the browser-like and the server-like resolver apart.
const conditions = ['source', 'node', 'default']
const source = { resolve: { conditions }, ssr: { resolve: { conditions } } }

/** More than the files of all workers together ever take. */
const ROOM = 2 * 1024 ** 3

/**
 * Where tests keep their files: in memory where there is the room. A process that is killed leaves there what it would leave
 * on a disk, and the rules of the stores are about the order of their system calls.
 */
function inMemory(): string {
  const shared = '/dev/shm'
  try {
    const { bavail, bsize } = statfsSync(shared)
    return bavail * bsize > ROOM ? shared : tmpdir()
  } catch {
    // Not every system has it.
    return tmpdir()
  }
}

const project = (name: string, include: string, testTimeout: number, directory: string = inMemory()) => ({
  ...source,
  // Tests kill, stop and fork real processes: a worker must be a process too. It loads the sources once: nothing keeps
  // state in a module, and loading them for each file takes longer than most files.
  test: {
    name,
    include: [include],
    pool: 'forks' as const,
    isolate: false,
    env: { TMPDIR: directory, DISK_TMPDIR: tmpdir() },
    testTimeout,
    hookTimeout: 60_000,
  },
})

const library = (name: string, testTimeout: number, directory?: string) =>
  project(name, `packages/palier/test/${name}/**/*.test.ts`, testTimeout, directory)

/** Nearly all of it is waiting for timeouts, leases and failovers; a group of its own, because of its number of workers. */
const faults = () => {
  const { test, ...rest } = library('fault', 90_000, tmpdir())
  return { ...rest, test: { ...test, maxWorkers: 4, sequence: { groupOrder: 1 } } }
}

const campaigns = () => {
  const { test, ...rest } = project('campaigns', 'apps/campaigns/test/**/*.test.ts', 60_000)
  // One PostgreSQL and one MariaDB for all of them, started only when one of them runs.
  const globalSetup = ['apps/campaigns/test/support/database-servers.ts']
  return { ...rest, test: { ...test, globalSetup } }
}

/** A real Chromium before the whole application: the pages have to be built, which `npm test` does. */
const browser = () => {
  const { test, ...rest } = project('browser', 'apps/campaigns/e2e/**/*.test.ts', 60_000)
  return { ...rest, test: { ...test, isolate: false } }
}

export default defineConfig({
  ...source,
  test: {
    // One more than there are processors on the smallest machine that must be quick: much of a test is waiting for a
    // timeout, a lease or a failover.
    maxWorkers: 3,
    coverage: {
      provider: 'v8',
      include: ['packages/*/src/**/*.ts', 'apps/*/server/**/*.ts'],
      // What only a browser runs is counted there (`scripts/page-coverage.mjs`). The installation of the application runs in
      // processes that the tests start and end, where nothing is counted.
      exclude: ['packages/design/src/**/*.tsx', 'apps/campaigns/server/setup/**'],
      reporter: ['text-summary', 'json-summary'],
      reportsDirectory: 'coverage',
      // Measured only by a whole run, `npm test`: part of the tests covers part of the code.
      thresholds: { lines: 85, branches: 85 },
    },
    projects: [
      library('unit', 10_000),
      library('property', 60_000),
      library('contract', 60_000),
      faults(),
      project('http', 'packages/http/test/**/*.test.ts', 60_000),
      project('console', 'packages/console/test/**/*.test.ts', 60_000),
      project('design', 'packages/design/test/**/*.test.ts', 10_000),
      project('examples', 'examples/test/**/*.test.ts', 60_000),
      campaigns(),
      browser(),
    ],
  },
})
