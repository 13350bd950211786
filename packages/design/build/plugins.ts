// What the builds of all pages share: the files that a page begins with, and copies of each text file as small as it can be.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import type { Plugin } from 'vite'

const SHARED = new URL('../public/', import.meta.url)
const FILES = ['boot.js', 'icon.svg'] as const
const TYPES = { js: 'text/javascript', svg: 'image/svg+xml' } as const

/** Theme and language before the first paint, and the icon, at fixed names beside the page, which names them. */
export function sharedFiles(base: string): Plugin {
  return {
    name: 'shared-files',
    transformIndexHtml: () => [
      { tag: 'script', attrs: { src: `${base}boot.js` }, injectTo: 'head' },
      { tag: 'link', attrs: { rel: 'icon', href: `${base}icon.svg`, type: 'image/svg+xml' }, injectTo: 'head' },
    ],
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const file = FILES.find(name => request.url === base + name)
        if (file === undefined) return next()
        response.setHeader('content-type', TYPES[file.endsWith('.js') ? 'js' : 'svg'])
        response.end(readFileSync(new URL(file, SHARED)))
      })
    },
    generateBundle() {
      for (const fileName of FILES) {
        this.emitFile({ type: 'asset', fileName, source: readFileSync(new URL(fileName, SHARED)) })
      }
    },
  }
}

const TEXT = /\.(js|css|html|svg|json|webmanifest)$/
/** Below this the copy is hardly smaller. */
const LEAST = 1024

function filesBelow(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map(name => join(directory, name))
    .filter(path => statSync(path).isFile())
}

const COMPRESS = {
  br: (body: Buffer): Buffer =>
    brotliCompressSync(body, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: body.length },
    }),
  gz: (body: Buffer): Buffer => gzipSync(body, { level: 9 }),
} as const

/** Writes copies beside each text file: compressed once, as well as can be, instead of at each request. */
export function precompressed(kinds: readonly (keyof typeof COMPRESS)[]): Plugin {
  return {
    name: 'precompressed',
    apply: 'build',
    writeBundle({ dir }) {
      if (dir === undefined) return
      for (const path of filesBelow(dir)) {
        const body = readFileSync(path)
        if (!TEXT.test(path) || body.length < LEAST) continue
        for (const kind of kinds) writeFileSync(`${path}.${kind}`, COMPRESS[kind](body))
      }
    },
  }
}
