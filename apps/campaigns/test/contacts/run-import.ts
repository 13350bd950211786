import { expect } from 'vitest'
import { createWorker } from '../../server/jobs/worker.ts'
import type { TestApp } from '../support/app.ts'

export interface ImportFault {
  readonly line: number
  readonly field: string
  readonly expected: string
  readonly received: string
}

export interface ImportState {
  readonly id: string
  readonly status: string
  readonly percent: number
  readonly records: number
  readonly created: number
  readonly updated: number
  readonly duplicates: number
  readonly rejected: number
  readonly categories_created: number
  readonly stopped_at_line: number | null
  readonly errors: readonly ImportFault[]
}

const CSV = { 'content-type': 'text/csv; charset=utf-8' }

/** Sends the file, and answers as the server does. */
export function sendCsv(app: TestApp, payload: string | Buffer, mode = 'skip') {
  return app.send({ method: 'POST', url: `/api/v1/contacts/import?mode=${mode}`, headers: CSV, payload })
}

export async function importState(app: TestApp, id: string): Promise<ImportState> {
  return (await app.get(`/api/v1/contacts/import/${id}`)).json()
}

/** Sends the file, has a worker do all there is to do, and tells what became of the import. */
export async function runImport(app: TestApp, payload: string | Buffer, mode = 'skip'): Promise<ImportState> {
  const sent = await sendCsv(app, payload, mode)
  expect(sent.json()).toMatchObject({ id: expect.any(String) })
  expect(sent.statusCode).toBe(202)
  const worker = createWorker(app.services)
  await worker.runUntilIdle()
  await worker.close()
  const state = await importState(app, sent.json().id)
  expect(state).toMatchObject({ status: 'done', percent: 100 })
  const { records, created, updated, duplicates, rejected } = state
  expect(created + updated + duplicates + rejected).toBe(records)
  return state
}
