import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { defineConfig, type Plugin } from 'vite'

const design = new URL('../../design/public/', import.meta.url)

/** The files that every page of the project begins with, at fixed names: they run, or are seen, before anything else. */
function sharedFiles(): Plugin {
  const files = ['boot.js', 'icon.svg']
  return {
    name: 'shared-files',
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const file = files.find(name => request.url === `/${name}`)
        if (file === undefined) return next()
        response.setHeader('content-type', file.endsWith('.js') ? 'text/javascript' : 'image/svg+xml')
        response.end(readFileSync(new URL(file, design)))
      })
    },
    generateBundle() {
      for (const fileName of files) {
        this.emitFile({ type: 'asset', fileName, source: readFileSync(new URL(fileName, design)) })
      }
    },
  }
}

/** A copy of each large file for browsers that take gzip, which all do: hosts of pages like these seldom compress. */
function compressedCopies(): Plugin {
  return {
    name: 'compressed-copies',
    enforce: 'post',
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        for (const [fileName, made] of Object.entries(bundle)) {
          if (!/^assets\/.*\.(?:js|css)$/.test(fileName)) continue
          const source = gzipSync(made.type === 'chunk' ? made.code : made.source, { level: 9 })
          this.emitFile({ type: 'asset', fileName: `${fileName}.gz`, source })
        }
      },
    },
  }
}

const preact = {
  // What it stands in for where a React is older than this one.
  'use-sync-external-store/shim/index.js': 'preact/compat',
  'react-dom/client': 'preact/compat/client',
  'react/jsx-runtime': 'preact/jsx-runtime',
  'react/jsx-dev-runtime': 'preact/jsx-dev-runtime',
  'react-dom': 'preact/compat',
  react: 'preact/compat',
}

/**
 * `--mode react` builds the same code on React, and writes nothing: it shows that the choice of Preact can be taken back.
 * Addresses are relative, so that the pages work under any mount.
 */
// oxlint-disable-next-line import/no-default-export -- Vite asks for it
export default defineConfig(({ mode }) => ({
  root: import.meta.dirname,
  base: './',
  resolve: mode === 'react' ? {} : { alias: preact },
  plugins: [sharedFiles(), compressedCopies()],
  build: {
    outDir: '../dist/ui',
    emptyOutDir: true,
    write: mode !== 'react',
    target: 'es2023',
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      // `"use client"` says something to servers only.
      onLog(level, log, next) {
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') next(level, log)
      },
    },
  },
  server: {
    proxy: {
      '/api': {
        target: process.env['CONSOLE'] ?? 'http://127.0.0.1:3000/ops',
        xfwd: true,
        // The cookie of a session is for the mount, which is the root here.
        cookiePathRewrite: '/',
      },
    },
  },
}))
