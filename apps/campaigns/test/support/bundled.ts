import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/*
 * Programs for the processes that tests start, each as one file of JavaScript: a process that compiles two hundred files
 * takes several times as long to begin as one that reads one, and tests start dozens.
 */
interface Loaded {
  readonly contents: string
  readonly loader: 'ts'
}

interface Build {
  onLoad(options: { readonly filter: RegExp }, load: (file: { readonly path: string }) => Loaded): void
}

interface Bundler {
  build(options: Readonly<Record<string, unknown>>): Promise<unknown>
}

const require = createRequire(import.meta.url)
const { build } = createRequire(require.resolve('tsx/package.json'))('esbuild') as Bundler
const APP = join(import.meta.dirname, '..', '..')
const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(APP, 'package.json'), 'utf8')) as Record<
  'dependencies' | 'optionalDependencies',
  Record<string, string>
>
const packages = Object.keys({ ...dependencies, ...optionalDependencies }).filter(name => !/^@?palier/.test(name))

/** Each file goes on finding its neighbours where they are. */
const keepPlaces = {
  name: 'keep-places',
  setup(bundle: Build): void {
    bundle.onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8')
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(path))),
      loader: 'ts',
    }))
  },
}

const made = new Map<string, Promise<string>>()

/** Beside the sources, so that the packages are found from there. A directory for each test process. */
const ROOM = join(APP, 'node_modules', '.cache', 'campaigns-test')

function isAlive(pid: string): boolean {
  try {
    process.kill(Number(pid), 0)
    return true
  } catch {
    return false
  }
}

/** Test processes are ended without a word: what they left goes when the next one begins. */
function tidy(): void {
  for (const pid of readdirSync(ROOM)) if (!isAlive(pid)) rmSync(join(ROOM, pid), { recursive: true, force: true })
}

async function bundle(entry: string): Promise<string> {
  const directory = join(ROOM, String(process.pid))
  mkdirSync(directory, { recursive: true })
  tidy()
  const outfile = join(directory, `${made.size}.mjs`)
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    conditions: ['source'],
    external: [...packages, ...packages.map(name => `${name}/*`), 'redis', 'ioredis', 'esbuild'],
    plugins: [keepPlaces],
  })
  return outfile
}

/** The path of a program made of a source and all that it imports of ours; made once for each test process. */
export function bundled(source: URL): Promise<string> {
  const entry = fileURLToPath(source)
  const program = made.get(entry) ?? bundle(entry)
  made.set(entry, program)
  return program
}
