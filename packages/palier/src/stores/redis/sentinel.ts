import type { Clock } from '../../clock.ts'
import { type Reply, reasonOf } from './port.ts'
import { type Place, placeName, type SentinelTarget, type Target } from './target.ts'
import { openWire, signIn, type Wire } from './wire.ts'

/*
 * Where the primary is, by the word of its sentinels. One of them is asked over a connection that is kept; when it
 * fails, or when what it named turned out not to be the primary, the next one is asked. What a sentinel names is only
 * believed when the server itself says that it is a primary (https://redis.io/docs/latest/develop/reference/sentinel-clients/).
 */
export interface Sentinels {
  /** Rejects when no sentinel could name the primary. */
  primary(): Promise<Place>
  /** What was named last is no primary: another sentinel may know better. */
  distrust(): void
  close(): void
}

/** Milliseconds one sentinel is given, so that two dead ones do not use up the time to come back. */
const PATIENCE = 300

const textOf = (reply: Reply): string => (Buffer.isBuffer(reply) ? reply.toString('utf8') : String(reply))

export function createSentinels(target: Target, sentinel: SentinelTarget, clock: Clock): Sentinels {
  let turn = 0
  let kept: Wire | undefined
  let isClosed = false

  const next = (): void => {
    kept?.close()
    kept = undefined
    turn = (turn + 1) % sentinel.nodes.length
  }

  function within<T>(work: Promise<T>, wire: Wire): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const cancel = clock.after(PATIENCE, () => {
        reject(new Error(`no answer within ${PATIENCE} ms`))
        wire.close()
      })
      work.then(resolve, reject).finally(cancel)
    })
  }

  const question = (wire: Wire): Promise<Reply> => wire.send(['SENTINEL', 'get-master-addr-by-name', sentinel.name])

  async function ask(wire: Wire, isNew: boolean): Promise<Reply> {
    if (isNew && sentinel.password !== undefined) await signIn(wire, { ...sentinel, db: 0 })
    try {
      return await question(wire)
    } catch (error) {
      if (sentinel.password !== undefined || target.password === undefined || !reasonOf(error).startsWith('NOAUTH'))
        throw error
      await signIn(wire, { username: target.username, password: target.password, db: 0 })
      return question(wire)
    }
  }

  async function named(): Promise<Place> {
    const node = sentinel.nodes[turn] ?? target
    const where = placeName(node)
    const isNew = kept?.isOpen() !== true
    const wire = isNew || kept === undefined ? openWire({ ...node, tls: target.tls }) : kept
    kept = wire
    const answer = await within(ask(wire, isNew), wire).catch((error: unknown) => {
      throw new Error(`sentinel ${where}: ${reasonOf(error)}`, { cause: error })
    })
    const [host, port] = Array.isArray(answer) ? (answer as readonly Reply[]) : []
    if (port === undefined) throw new Error(`sentinel ${where} knows no primary by the name ${sentinel.name}`)
    return { ...target, host: textOf(host), port: Number(textOf(port)) }
  }

  return {
    async primary() {
      let failure = new Error('closed')
      for (let i = 0; i < sentinel.nodes.length && !isClosed; i++) {
        try {
          return await named()
        } catch (error) {
          if (error instanceof Error) failure = error
          next()
        }
      }
      throw failure
    },
    distrust: next,
    close() {
      isClosed = true
      kept?.close()
    },
  }
}
