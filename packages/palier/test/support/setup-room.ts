import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import type { Setup, SetupOptions } from '../../src/setup/door.ts'
import { createSetup } from '../../src/setup/engine.ts'
import { compiled } from './compiled.ts'

/** A fresh directory for each test of a file, and installations in it that are closed after the test. */
export interface SetupRoom {
  path(name: string): string
  read(name: string): Promise<string>
  tree(): Promise<string[]>
  engine(more?: Partial<SetupOptions>): Promise<Setup>
}

export function setupRoom(): SetupRoom {
  let directory = ''
  const opened: Setup[] = []
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'palier-setup-test-'))
  })
  afterEach(async () => {
    for (const setup of opened.splice(0)) await setup.close()
    await rm(directory, { recursive: true, force: true })
  })
  return {
    path: name => join(directory, name),
    read: name => readFile(join(directory, name), 'utf8'),
    tree: async () => (await readdir(directory, { recursive: true })).sort(),
    async engine(more = {}) {
      const child = await compiled(new URL('../../src/setup/child.ts', import.meta.url))
      const setup = createSetup({ directory, environment: {}, child, ...more })
      opened.push(setup)
      return setup
    },
  }
}
