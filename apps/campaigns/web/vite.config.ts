import { createHash } from 'node:crypto'
import { precompressed, sharedFiles } from '../../../packages/design/build/plugins.ts'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

const BASE = '/app/'

/** What the service worker keeps for times without a network: all hashed files, which never change under their name. */
function offlineList(): Plugin {
  return {
    name: 'offline-list',
    generateBundle: {
      // After the chunks that hold nothing but a style have been taken out: of a file that is not there, nothing is kept.
      order: 'post',
      handler(_options, bundle) {
        const files = Object.keys(bundle).filter(name => name.startsWith('assets/') && !name.endsWith('.map'))
        const source = JSON.stringify(files.toSorted())
        this.emitFile({ type: 'asset', fileName: 'offline.json', source })
        // A browser knows a new service worker by its bytes, and only a new one reads the list again.
        const worker = bundle['worker.js']
        const digest = createHash('sha256').update(source).digest('hex')
        if (worker?.type === 'chunk') worker.code += `// ${digest}\n`
      },
    },
  }
}

/** What every screen needs is one file: a dozen small ones compress worse, and each brings its own head. */
const COMMON =
  /node_modules\/(?:react|react-dom|scheduler|@tanstack\/(?:query-core|react-query|react-router|router-core|history|store|react-store))\/|packages\/design\/src\/(?!chart)|web\/src\/(?:shell|session|data\/(?:client|context|dashboard|events|freshness|pending|problems|statuses|tags|things|use-change|use-now|use-stats))\b/

export default defineConfig({
  root: import.meta.dirname,
  base: BASE,
  plugins: [react(), sharedFiles(BASE), offlineList(), precompressed(['br', 'gz'])],
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    // For who counts what the tests have run; never served.
    sourcemap: 'hidden',
    rolldownOptions: {
      input: { index: 'index.html', worker: 'src/offline/worker.ts' },
      output: {
        // Its address is how a browser knows a service worker: never hashed.
        codeSplitting: { groups: [{ name: 'common', test: COMMON }] },
        entryFileNames: chunk => (chunk.name === 'worker' ? 'worker.js' : 'assets/[name]-[hash].js'),
      },
    },
  },
  server: {
    proxy: Object.fromEntries(
      ['/api', '/events', '/media', '/p', '/admin', '/docs', '/openapi.json'].map(path => [
        path,
        { target: process.env['CAMPAIGNS_SERVER'] ?? 'http://127.0.0.1:3000', xfwd: true },
      ]),
    ),
  },
})
