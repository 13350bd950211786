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

  /** A node that cannot be asked now is a change, and so is its return. */
  async function ofCluster(): Promise<string> {
    const slots = commands.send(['CLUSTER', 'SLOTS']).then(
      reply => signatureOf(shardsOf(reply, '')),
      (error: unknown) => {
        if (isRefused(error)) return 'slots unknown'
        throw error
      },
    )
    const senders = await commands.masters()
    const servers = Promise.all(senders.map(send => told(send).catch(() => 'no answer')))
    const names = [...(await servers)].sort()
    const map = await slots
    if (names.every(name => name === 'no answer')) throw new Error('no node of the cluster answers')
    return `${names.join(', ')}; ${map}`
  }

  return async () => {
    if (port.isCluster) return ofCluster()
    return told(args => commands.send(args))
  }
}
