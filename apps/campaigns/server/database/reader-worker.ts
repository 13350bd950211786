import { parentPort, workerData } from 'node:worker_threads'
import type { Reply, Request } from './reader.ts'
import { createRunner, openFile } from './file.ts'

const run = createRunner(openFile((workerData as { path: string }).path, 'read'))

function answer({ id, sql, parameters }: Request): Reply {
  try {
    return { id, result: run(sql, parameters) }
  } catch (error) {
    const { message, code } = error as Error & { code?: string }
    return { id, error: { message, code } }
  }
}

parentPort?.on('message', (request: Request) => parentPort?.postMessage(answer(request)))
