/**
 * Ends a process in order: no new work, what is under way finishes, then the cache hears what waits and the database is
 * closed. Asked for by SIGTERM (schedulers), SIGINT (a terminal), the message `shutdown` (PM2), or Passenger's own event.
 */
export interface Shutdown {
  /** Milliseconds after which the process ends anyway. */
  readonly within: number
  readonly close: () => Promise<void>
  readonly say: (line: string) => void
}

export function closeWhenAsked({ within, close, say }: Shutdown): void {
  let closing = false
  const stop = async (reason: string): Promise<void> => {
    // A second signal means that somebody does not want to wait.
    if (closing) process.exit(1)
    closing = true
    say(`${reason}: closing`)
    const late = setTimeout(() => {
      say(`not closed within ${within / 1000} s: ending anyway`)
      process.exit(1)
    }, within)
    late.unref()
    try {
      await close()
      process.exit(0)
    } catch (error) {
      say(error instanceof Error ? (error.stack ?? error.message) : String(error))
      process.exit(1)
    }
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(signal))
  // Listening for messages must not be what keeps a process alive whose start has failed.
  process.channel?.unref()
  process.on('message', message => {
    if (message === 'shutdown') void stop('shutdown')
  })
  // Passenger's loader tells the application on an object of its own; without a listener it ends the process at once.
  const { PhusionPassenger: passenger } = globalThis as { readonly PhusionPassenger?: NodeJS.EventEmitter }
  passenger?.on('exit', () => void stop('Passenger'))
}
