import { CHOICE_FR } from './choice-fr.ts'
import type { WordKey } from './en.ts'
import { MACHINE_FR } from './machine-fr.ts'

/** The same sentences in French. A key that is missing does not compile. */
export const FR: Readonly<Record<WordKey, string>> = { ...MACHINE_FR, ...CHOICE_FR }
