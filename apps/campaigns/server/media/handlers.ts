import Type from 'typebox'
import Value from 'typebox/value'
import type { JobHandler } from '../jobs/contract.ts'
import { DISCARD_JOB, type Discarded, discardMedia } from './store.ts'

const Payload = Type.Object({ sha256: Type.String(), paths: Type.Array(Type.String()) })

export const discardHandler: JobHandler<Discarded> = {
  name: DISCARD_JOB,
  queue: 'media',
  maxAttempts: 10,
  parse: payload => Value.Parse(Payload, payload),
  run: async ({ services, payload }) => ({ result: { discarded: await discardMedia(services, payload) } }),
}
