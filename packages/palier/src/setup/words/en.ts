import { CHOICE_EN } from './choice-en.ts'
import { MACHINE_EN } from './machine-en.ts'

/** Every sentence of the installation, in English. `{name}` is a gap; `{n|file|files}` chooses by the number in `n`. */
export const EN: typeof MACHINE_EN & typeof CHOICE_EN = { ...MACHINE_EN, ...CHOICE_EN }

export type WordKey = keyof typeof MACHINE_EN | keyof typeof CHOICE_EN
