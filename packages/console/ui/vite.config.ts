import { defineConfig } from 'vite'
import { precompressed, sharedFiles } from '../../design/build/plugins.ts'

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
export default defineConfig(({ mode }) => ({
  root: import.meta.dirname,
  base: './',
  resolve: mode === 'react' ? {} : { alias: preact },
  // Hosts of pages like these seldom compress; every browser takes gzip.
  plugins: [sharedFiles('./'), precompressed(['gz'])],
  build: {
    outDir: '../dist/ui',
    emptyOutDir: true,
    write: mode !== 'react',
    target: 'es2023',
    assetsInlineLimit: 0,
    // For who counts what the tests have run; never served.
    sourcemap: 'hidden',
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
