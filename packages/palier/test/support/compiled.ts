import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { copyFile, mkdir, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/*
 * Scripts for the processes that tests start, as JavaScript: a process that compiles what it runs takes five times the
 * processor time to begin, and tests start hundreds. All are compiled together, once for all test files, and again
 * when a source changed; in `node_modules`, so that they find the packages that the sources find.
 */
const PACKAGE = join(import.meta.dirname, '..', '..')
const SOURCES = ['src', 'test/support']
const OLD = 3_600_000

const typescript = createRequire(import.meta.url).resolve('typescript/package.json')
const cache = join(dirname(dirname(typescript)), '.cache', 'palier-test')

function sources(): readonly string[] {
  return SOURCES.flatMap(dir =>
    readdirSync(join(PACKAGE, dir), { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.ts'))
      .map(name => join(dir, name)),
  ).sort()
}

function stateOf(files: readonly string[]): string {
  const state = createHash('sha256')
  for (const file of [...files, 'package.json']) {
    const { mtimeMs, size } = statSync(join(PACKAGE, file))
    state.update(`${file} ${mtimeMs} ${size}\n`)
  }
  return state.digest('hex').slice(0, 20)
}

/** What another state of the sources left, unless tests may be running with it. */
async function tidy(): Promise<void> {
  for (const name of readdirSync(cache)) {
    const path = join(cache, name)
    const changed = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()
    if (Date.now() - changed > OLD) await rm(path, { recursive: true, force: true })
  }
}

async function compile(files: readonly string[], into: string): Promise<void> {
  const prepared = `${into}-${randomBytes(6).toString('hex')}`
  await mkdir(prepared, { recursive: true })
  await tidy()
  const emit = ['--ignoreConfig', '--noCheck', '--target', 'es2023', '--module', 'nodenext', '--types', 'node']
  const places = ['--rewriteRelativeImportExtensions', '--rootDir', '.', '--outDir', prepared]
  const tsc = join(dirname(typescript), 'bin', 'tsc')
  await promisify(execFile)(process.execPath, [tsc, ...emit, ...places, ...files], { cwd: PACKAGE })
  await copyFile(join(PACKAGE, 'package.json'), join(prepared, 'package.json'))
  try {
    await rename(prepared, into)
  } catch {
    // Another test file was first.
    await rm(prepared, { recursive: true, force: true })
  }
}

async function build(): Promise<string> {
  const files = sources()
  const into = join(cache, stateOf(files))
  if (statSync(into, { throwIfNoEntry: false }) === undefined) await compile(files, into)
  return into
}

/** Begun when a test file is loaded, so that all it starts is of one state of the sources. */
const built = build()
// Told to whoever asks for a script.
built.catch(() => undefined)

/** The path of the compiled form of a source of this package. */
export async function compiled(script: URL): Promise<string> {
  return join(await built, relative(PACKAGE, fileURLToPath(script)).replace(/\.ts$/, '.js'))
}
