import { join, resolve } from 'node:path'
import { type Clock, systemClock } from '../clock.ts'
import type { Fact, Sentence, Verdict } from './contract.ts'
import type { Progress, SetupOptions } from './door.ts'
import { readLines } from './env-file.ts'
import { readIfThere } from './files.ts'
import type { Saved, StateFile } from './state.ts'
import type { WordKey } from './words/en.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Where a step works: what was given, what is saved, whom it tells. */
export interface Room {
  readonly options: SetupOptions
  /** Of the process, over the lines of the settings file: what the application would see after a restart. */
  readonly environment: Environment
  /** Absolute. */
  readonly directory: string
  readonly file: string
  readonly state: StateFile
  readonly saved: Saved
  readonly clock: Clock
  readonly signal: AbortSignal
  tell(share: number, text: Sentence, more?: Pick<Progress, 'left' | 'fact'>): void
}

export function sentence(key: WordKey, values?: Readonly<Record<string, string | number>>): Sentence {
  return values === undefined ? { key } : { key, values }
}

interface Found {
  readonly evidence?: string | undefined
  readonly advice?: Sentence | undefined
}

export function fact(
  id: string,
  verdict: Verdict,
  label: WordKey,
  text: Sentence,
  { evidence, advice }: Found = {},
): Fact {
  return {
    id,
    verdict,
    label: { key: label },
    text,
    ...(evidence !== undefined && { evidence }),
    ...(advice !== undefined && { advice }),
  }
}

export function settingsFile(options: SetupOptions): string {
  return resolve(options.directory, options.file ?? join(options.directory, '.env'))
}

/** Rejects when the settings file is there and cannot be read. */
export async function environmentOf(options: SetupOptions): Promise<Environment> {
  const text = await readIfThere(settingsFile(options)).catch(() => undefined)
  return { ...readLines(text ?? ''), ...(options.environment ?? process.env) }
}

export const clockOf = (options: SetupOptions): Clock => options.clock ?? systemClock
