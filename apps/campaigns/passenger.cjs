// Where Passenger (cPanel, DirectAdmin) and LiteSpeed begin: they load a file with `require`, and the application is a module.
// Build it first: npm ci && npm run build. PALIER_SETUP=1 in the environment opens the installation at /setup/.
import('./dist/server/main.js').catch(error => {
  console.error(error)
  process.exit(1)
})
