import { expectTypeOf } from 'vitest'
import { type ErrorCode, PalierError } from '../../src/errors.ts'

const error = new PalierError('PALIER_BAD_KEY', 'no', { key: 'a' })

// A code is one of a closed list: a misspelt comparison does not compile.
expectTypeOf(error.code).toEqualTypeOf<ErrorCode>()
expectTypeOf(error.key).toEqualTypeOf<string | undefined>()
expectTypeOf(error).toExtend<Error>()
// @ts-expect-error: not a code of the library
export const wrong: ErrorCode = 'PALIER_NO_SUCH_CODE'
