#!/usr/bin/env node
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { isatty } from 'node:tty'
import { run } from './run.ts'

const leave = new AbortController()

/** The second time the signal does what it does anywhere: nobody should be held up by a disk that hangs. */
function onSignal(signal: NodeJS.Signals): void {
  leave.abort(new Error(`ended by ${signal}`))
}

async function confirm(question: string, until?: AbortSignal): Promise<boolean | undefined> {
  if (!isatty(0) || !isatty(2)) return undefined
  const reader = createInterface({ input: process.stdin, output: process.stderr })
  const gone = new AbortController()
  // Neither Ctrl-D nor Ctrl-C settles a question by itself: the command would wait for ever.
  reader.once('close', () => gone.abort())
  reader.once('SIGINT', () => reader.close())
  try {
    const signal = AbortSignal.any([leave.signal, gone.signal, ...(until === undefined ? [] : [until])])
    const answer = await reader.question(`${question} [y/N] `, { signal })
    return /^(y(es)?|o(ui)?)$/i.test(answer.trim())
  } catch {
    // Ended by a signal, or by the end of the input: neither is a yes.
    return false
  } finally {
    reader.close()
  }
}

async function secret(question: string): Promise<string | undefined> {
  if (!isatty(0) || !isatty(2)) return undefined
  // What is typed is echoed by the reader, into nothing.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() })
  const reader = createInterface({ input: process.stdin, output, terminal: true })
  const gone = new AbortController()
  reader.once('close', () => gone.abort())
  // Asked once the terminal no longer echoes.
  process.stderr.write(`${question}: `)
  reader.once('SIGINT', () => {
    reader.close()
    leave.abort(new Error('ended by SIGINT'))
  })
  try {
    return await reader.question('', { signal: AbortSignal.any([leave.signal, gone.signal]) })
  } catch {
    return undefined
  } finally {
    reader.close()
    process.stderr.write('\n')
  }
}

process.once('SIGINT', onSignal)
process.once('SIGTERM', onSignal)
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of a pipe has seen enough (`palier stats | head`).
  if (error.code !== 'EPIPE') throw error
})

// Every timer of the library lets a process end, and this one must not end before its work does.
const alive = setInterval(() => undefined, 60_000)
process.exitCode = await run(process.argv.slice(2), {
  environment: process.env,
  isTerminal: isatty(1),
  out: text => void process.stdout.write(text),
  err: text => void process.stderr.write(text),
  confirm,
  secret,
  signal: leave.signal,
})
clearInterval(alive)
