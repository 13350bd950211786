import type { ManualClock } from '../../src/testing.ts'

/** Lets time pass while it goes on: those who meet at one document rest between their tries. */
export async function passing<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let isOver = false
  const done = work.finally(() => (isOver = true))
  done.catch(() => undefined)
  while (!isOver) await clock.advance(5)
  return done
}

/** Begins all in the same moment, and lets time pass until they are done. */
export async function together(
  clock: ManualClock,
  ...works: readonly (() => Promise<unknown> | undefined)[]
): Promise<void> {
  await passing(clock, Promise.all(works.map(async run => run())))
}
