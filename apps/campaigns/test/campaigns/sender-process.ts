import { fork } from 'node:child_process'
import { onTestFinished } from 'vitest'
import { bundled } from '../support/bundled.ts'

/** What a sending process is told when it begins. */
export interface SenderSetup {
  readonly url: string
  readonly directory: string
  readonly backend: 'filesystem'
}

/** A worker of the application in a process of its own. */
export interface SenderProcess {
  /** kill -9, and its end. */
  kill(): Promise<void>
}

/** Starts one that looks for work at once; it ends with the test. */
export async function startSender(setup: SenderSetup): Promise<SenderProcess> {
  const worker = await bundled(new URL('./sender-worker.ts', import.meta.url))
  const child = fork(worker, [JSON.stringify(setup)], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
  }
  onTestFinished(kill)
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve())
    child.once('exit', code => reject(new Error(`the sender ended with ${code}`)))
  })
  return { kill }
}
