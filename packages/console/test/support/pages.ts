import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'

/** Pages as a build leaves them: a shell, a script under a name made of its content, with compressed copies, and an icon. */
export interface BuiltPages extends AsyncDisposable {
  readonly directory: string
  readonly html: string
  readonly script: string
  /** The path of the script. */
  readonly code: string
}

export async function pages(): Promise<BuiltPages> {
  const parent = await mkdtemp(join(tmpdir(), 'palier-console-pages-'))
  const directory = join(parent, 'ui')
  const code = 'assets/main-abc123.js'
  const html = `<!doctype html><title>Cache</title><script type="module" src="./${code}"></script>`
  const script = `export const text = '${'palier '.repeat(200)}'`
  await mkdir(join(directory, 'assets'), { recursive: true })
  await writeFile(join(directory, 'index.html'), html)
  await writeFile(join(directory, 'icon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>')
  await writeFile(join(directory, code), script)
  await writeFile(join(directory, `${code}.br`), brotliCompressSync(script))
  await writeFile(join(directory, `${code}.gz`), gzipSync(script))
  await writeFile(join(parent, 'secret.txt'), 'not a page')
  return { directory, html, script, code, [Symbol.asyncDispose]: () => rm(parent, { recursive: true, force: true }) }
}
