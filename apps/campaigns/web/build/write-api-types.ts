// npm run api-types -w campaigns: writes src/data/api-types.ts from what the server says of itself.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildApp } from '../../server/app.ts'
import { compose } from '../../server/compose.ts'
import { apiTypes, type Description } from './api-types.ts'

const directory = mkdtempSync(join(tmpdir(), 'campaigns-api-'))
try {
  const services = await compose({
    database: { url: `sqlite:${join(directory, 'campaigns.sqlite')}`, replicaUrl: undefined },
    dataDir: directory,
    state: { backend: 'memory' },
    cache: { backend: 'memory' },
  })
  const app = await buildApp(services)
  await app.ready()
  const { body } = await app.inject('/openapi.json')
  writeFileSync(new URL('../src/data/api-types.ts', import.meta.url), await apiTypes(JSON.parse(body) as Description))
  await app.close()
  await services.close()
} finally {
  rmSync(directory, { recursive: true, force: true })
}
