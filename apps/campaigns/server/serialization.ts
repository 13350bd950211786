import fastJson from 'fast-json-stringify'
import type { FastifySerializerCompiler } from 'fastify'
import type { TSchema } from 'typebox'

type Serialize = ReturnType<FastifySerializerCompiler<TSchema>>

/**
 * Writes answers by their schemas: a field that the schema does not name never leaves. Making a serializer costs
 * milliseconds and there are hundreds, so each schema gets one, however many servers a process builds.
 */
const made = new WeakMap<object, Serialize>()

export const compileSerializer: FastifySerializerCompiler<TSchema> = ({ schema }) => {
  const known = made.get(schema)
  if (known !== undefined) return known
  const serialize = fastJson(schema) as Serialize
  made.set(schema, serialize)
  return serialize
}
