import { precompressed, sharedFiles } from '../../../packages/design/build/plugins.ts'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

const BASE = '/app/'

/** What the service worker keeps for times without a network: all hashed files, which never change under their name. */
function offlineList(): Plugin {
  return {
    name: 'offline-list',
    generateBundle(_options, bundle) {
      const files = Object.keys(bundle).filter(name => name.startsWith('assets/'))
      this.emitFile({ type: 'asset', fileName: 'offline.json', source: JSON.stringify(files.toSorted()) })
    },
  }
}

export default defineConfig({
  root: import.meta.dirname,
  base: BASE,
  plugins: [react(), sharedFiles(BASE), offlineList(), precompressed()],
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    rollupOptions: {
      input: { index: 'index.html', worker: 'src/offline/worker.ts' },
      output: {
        // Its address is how a browser knows a service worker: never hashed.
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
