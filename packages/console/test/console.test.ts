import { createConsole } from '../src/index.ts'
export const x = createConsole
