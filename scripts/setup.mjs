// npm run setup: as npm start, but with the pages of the installation at /setup/ until they are finished.
process.env.PALIER_SETUP = '1'
await import('./start.mjs')
