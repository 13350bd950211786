import { PalierError } from '../../errors.ts'
import type { Commands } from './commands.ts'
import type { Args, Port, Reply } from './port.ts'
import { shardsOf, signatureOf } from './slots.ts'

/*
 * Who answers, in a text that changes as soon as somebody may answer who knows less: the run id of each primary
 * (another one after a restart), its replication id (another one after a promotion), and in a cluster who holds which
 * slots. Two small commands for each primary, so it may be asked every few seconds.
 *
 * Where the user may not run INFO there is nothing to tell servers apart by; then the number of connections so far
 * stands for them: each new connection counts as a new server, which costs a replay too many, never one too few.
 */
const SILENT = 'no answer'

const field = (text: string, name: string): string | undefined =>
  new RegExp(`^${name}:(.*)$`, 'm').exec(text)?.[1]?.trim()

const isRefused = (error: unknown): boolean =>
  error instanceof Error && /\b(NOPERM|unknown command)\b/i.test(error.message)

async function serverOf(send: (args: Args) => Promise<Reply>): Promise<string> {
  const [server, replication] = await Promise.all([send(['INFO', 'server']), send(['INFO', 'replication'])])
  return `${field(String(server), 'run_id') ?? '?'} ${field(String(replication), 'master_replid') ?? '?'}`
}

export function createIdentity(commands: Commands, port: Port): () => Promise<string> {
  const unknown = (): string => `unknown, connection ${port.connections()}`

  async function told(send: (args: Args) => Promise<Reply>): Promise<string> {
    try {
      return await serverOf(send)
    } catch (error) {
      if (isRefused(error)) return unknown()
      throw error
    }
  }

  async function slots(): Promise<string> {
    try {
      return signatureOf(shardsOf(await commands.send(['CLUSTER', 'SLOTS']), ''))
    } catch (error) {
      if (isRefused(error)) return 'slots unknown'
      throw error
    }
  }

  /** A node that cannot be asked now is a change, and so is its return. */
  async function servers(): Promise<string> {
    const senders = await commands.masters()
    const names = await Promise.all(senders.map(send => told(send).catch(() => SILENT)))
    if (names.every(name => name === SILENT)) {
      throw new PalierError('PALIER_STORE_FAILED', 'redis failed: no node of the cluster answers')
    }
    return names.sort().join(', ')
  }

  return async () => {
    if (port.isCluster) return (await Promise.all([servers(), slots()])).join('; ')
    return told(args => commands.send(args))
  }
}
