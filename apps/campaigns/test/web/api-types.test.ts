import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { apiTypes, type Description } from '../../web/build/api-types.ts'
import { startApp } from '../support/app.ts'

test('the pages know the API as it is: npm run api-types -w campaigns', async () => {
  const { get } = await startApp()
  const description = (await get('/openapi.json')).json<Description>()
  const written = readFileSync(new URL('../../web/src/data/api-types.ts', import.meta.url), 'utf8')
  expect(written === (await apiTypes(description))).toBe(true)
})
