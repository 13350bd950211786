import { createHash } from 'node:crypto'
import { canonicalText } from './codec.ts'
import { badOption } from './errors.ts'
import { part } from './key.ts'
import type { Duration } from './duration.ts'
import type { Verbs } from './verbs.ts'

type AnyArguments = readonly unknown[]

export interface CachedOptions<A extends AnyArguments> {
  /** Type whose policy the results obey; the default one unless said. */
  readonly type?: string
  /** What the function is called in its keys; its own name unless said. Two functions of one name share their entries. */
  readonly name?: string
  /** The key of a call. Default: a SHA-256 of all arguments, different for any two that differ. */
  readonly key?: (...args: A) => string
  readonly ttl?: Duration
  readonly grace?: Duration
  readonly tags?: readonly string[]
  /** Whose result it is, for types of scope `role` or `user`. */
  readonly subject?: (...args: A) => string
}

/** A method as the standard decorators see it. */
export type AsyncMethod<This, A extends AnyArguments, R> = (this: This, ...args: A) => Promise<R>

/**
 * `cached(fn, options)` gives the function that answers from the cache. `@cached(options)` does the same to a method;
 * `this` is no part of the key, so give one when results depend on the instance.
 */
export interface Cached {
  <A extends AnyArguments, R>(
    fn: (...args: A) => R | Promise<R>,
    options?: CachedOptions<A>,
  ): (...args: A) => Promise<R>
  <A extends AnyArguments>(
    options: CachedOptions<A>,
  ): <This, R>(method: AsyncMethod<This, A, R>, context: ClassMethodDecoratorContext) => AsyncMethod<This, A, R>
}

function callKey<A extends AnyArguments>(name: string, options: CachedOptions<A>, args: A): string {
  if (options.key !== undefined) return `${part(name)}:${options.key(...args)}`
  return `${part(name)}#${createHash('sha256').update(canonicalText(args)).digest('base64url')}`
}

export function createCached(verbsOf: (type: string | undefined) => Verbs<unknown>): Cached {
  function wrap<This, A extends AnyArguments, R>(
    fn: (this: This, ...args: A) => R | Promise<R>,
    ownName: string,
    options: CachedOptions<A>,
  ): AsyncMethod<This, A, R> {
    const name = options.name ?? ownName
    if (name === '') throw badOption('name', 'a name in the options, for the function has none', name)
    const verbs = verbsOf(options.type)
    const { ttl, grace, tags, subject } = options
    const fixed = { ...(ttl !== undefined && { ttl }), ...(grace !== undefined && { grace }), ...(tags && { tags }) }
    const plain = Object.keys(fixed).length === 0 ? undefined : fixed
    return async function (this: This, ...args: A): Promise<R> {
      const callOptions = subject === undefined ? plain : { ...fixed, subject: subject(...args) }
      const load = (): R | Promise<R> => Reflect.apply(fn, this, args)
      return verbs.getOrSet<R>(callKey(name, options, args), load, callOptions)
    }
  }

  return ((first: unknown, options: CachedOptions<AnyArguments> = {}) => {
    if (typeof first === 'function') return wrap(first as () => unknown, first.name, options)
    return (method: () => unknown, context: ClassMethodDecoratorContext) =>
      wrap(method, String(context.name), first as CachedOptions<AnyArguments>)
  }) as Cached
}
