import { DRAINS, HANDLERS, TICKS } from '../handlers.ts'
import type { Services } from '../services.ts'
import { createWorkLoop, type Worker } from './work-loop.ts'

export type { Worker }

/** Does all that the application does apart from requests. Closed before the services are. */
export function createWorker(services: Services): Worker {
  return createWorkLoop(services, { handlers: HANDLERS, drains: DRAINS, ticks: TICKS })
}
