import { defineConfig } from 'vite'

/** Style and script of the installation's pages. Nothing is hashed: the pages name them, and their validator tells a browser whether it has them. */
export default defineConfig({
  root: import.meta.dirname,
  publicDir: false,
  build: {
    outDir: '../dist/wizard-pages',
    emptyOutDir: true,
    target: 'es2023',
    // They know `light-dark()`: the tokens stay as they are written.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: { wizard: `${import.meta.dirname}/wizard.ts`, style: `${import.meta.dirname}/wizard.css` },
      output: { entryFileNames: 'wizard.js', assetFileNames: 'wizard[extname]' },
    },
  },
})
