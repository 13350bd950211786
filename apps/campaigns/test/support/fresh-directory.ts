import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A directory of this test alone, gone when it ends. */
export function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'campaigns-test-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}
