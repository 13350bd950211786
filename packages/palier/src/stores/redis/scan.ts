import { recordKey } from '../../record.ts'
import type { Usage } from '../../store.ts'
import type { Commands } from './commands.ts'
import { escapeGlob, keyOfName, valuePatterns } from './keys.ts'
import type { Args, Reply } from './port.ts'

/*
 * Walks the keyspace of every master with SCAN, which never holds the server up. Keys named by their hash are walked
 * apart, because their names say nothing: the key is read from the head of the record.
 */

const COUNT = '500'
/** Enough for the fixed part of a record and any key an application is likely to have; a longer one is read whole. */
const HEAD_BYTES = 4096

interface Found {
  /** As commands take it: without the prefix that the client adds. */
  readonly name: string
  readonly key: string
}

export interface Scanner {
  scan(prefix: string): AsyncIterable<readonly string[]>
  usage(prefix: string): Promise<Usage>
}

const textOf = (reply: Reply): string => (Buffer.isBuffer(reply) ? reply.toString('utf8') : String(reply))

export function createScanner(commands: Commands, keyPrefix: string): Scanner {
  async function* names(send: (args: Args) => Promise<Reply>, pattern: string): AsyncGenerator<string[]> {
    const match = escapeGlob(keyPrefix) + pattern
    let cursor = '0'
    do {
      const reply = await send(['SCAN', cursor, 'MATCH', match, 'COUNT', COUNT])
      const [next, page] = Array.isArray(reply) ? (reply as readonly Reply[]) : []
      cursor = textOf(next)
      // SCAN may show a name twice in a page while the server's table is resized.
      const found = new Set(Array.isArray(page) ? (page as readonly Reply[]).map(textOf) : [])
      if (found.size > 0) yield [...found].map(name => name.slice(keyPrefix.length))
    } while (cursor !== '0')
  }

  async function keyInside(name: string): Promise<string | undefined> {
    const head = await commands.send(['GETRANGE', name, '0', String(HEAD_BYTES - 1)], { key: name })
    if (!Buffer.isBuffer(head)) return undefined
    const key = recordKey(head)
    if (key !== undefined || head.length < HEAD_BYTES) return key
    const whole = await commands.send(['GET', name], { key: name })
    return Buffer.isBuffer(whole) ? recordKey(whole) : undefined
  }

  async function resolve(name: string): Promise<Found | undefined> {
    const plain = keyOfName(name)
    if (plain === null) return undefined
    const key = plain ?? (await keyInside(name))
    return key === undefined ? undefined : { name, key }
  }

  async function* walk(prefix: string): AsyncGenerator<Found[]> {
    for (const send of await commands.masters()) {
      for (const pattern of valuePatterns(prefix)) {
        for await (const page of names(send, pattern)) {
          const found = await Promise.all(page.map(resolve))
          const wanted = found.filter(each => each?.key.startsWith(prefix)) as Found[]
          if (wanted.length > 0) yield wanted
        }
      }
    }
  }

  return {
    async *scan(prefix) {
      for await (const page of walk(prefix)) yield page.map(found => found.key)
    },
    async usage(prefix) {
      let entries = 0
      let bytes = 0
      for await (const page of walk(prefix)) {
        const sizes = await Promise.all(page.map(({ name }) => commands.send(['STRLEN', name], { key: name })))
        entries += page.length
        for (const size of sizes) bytes += Number(size)
      }
      return { entries, bytes }
    },
  }
}
