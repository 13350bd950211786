import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/**
 * A network of its own beside the machine's, with one cable between them. What runs in it is cut off by dropping every
 * packet that comes in: no reset, no refusal, retransmissions that back off, as when a switch has failed.
 */
export interface Namespace {
  /** The address of what runs inside. */
  readonly host: string
  /** What goes before a command that shall run inside. */
  readonly within: readonly string[]
  drop(): void
  pass(): void
  remove(): void
}

function ip(command: string): void {
  const { status, stderr, error } = spawnSync('ip', command.split(' '), { encoding: 'utf8' })
  if (error !== undefined) throw new Error(`ip cannot be run: ${error.message}`)
  if (status !== 0) throw new Error(`ip ${command}: ${stderr.trim()}`)
}

/** How packets are dropped: the first that can be run here. */
interface Filter {
  readonly drop: readonly string[]
  readonly pass: readonly string[]
}

const FILTERS: readonly Filter[] = [
  {
    drop: ['nft', 'add table inet cut; add chain inet cut in { type filter hook input priority 0; policy drop; }'],
    pass: ['nft', 'delete table inet cut'],
  },
  { drop: ['iptables', '-I', 'INPUT', '-j', 'DROP'], pass: ['iptables', '-D', 'INPUT', '-j', 'DROP'] },
]

function inside(name: string, command: readonly string[]): boolean {
  return spawnSync('ip', ['netns', 'exec', name, ...command], { stdio: 'ignore' }).status === 0
}

function filterOf(name: string): Filter {
  const found = FILTERS.find(({ drop, pass }) => inside(name, drop) && inside(name, pass))
  if (found === undefined) throw new Error('neither nft nor iptables can drop packets (apt-get install nftables)')
  return found
}

/** Throws with the reason where this cannot be made: not Linux, not root, no `ip`, no packet filter. */
export function makeNamespace(): Namespace {
  if (process.platform !== 'linux') throw new Error('network namespaces are a thing of Linux')
  if (process.getuid?.() !== 0) throw new Error('a network namespace can be made by root only')
  const name = `palier-${process.pid}`
  const [near, far] = [`pl${process.pid}a`, `pl${process.pid}b`]
  // 198.18.0.0/15 is set aside for measuring: no real network uses it.
  const net = `198.18.${process.pid % 256}`
  const remove = (): void => {
    process.off('exit', remove)
    // The cable may outlive the namespace for a moment, and would keep its address.
    spawnSync('ip', ['link', 'del', near], { stdio: 'ignore' })
    if (existsSync(`/run/netns/${name}`)) spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' })
  }
  process.once('exit', remove)
  try {
    ip(`netns add ${name}`)
    ip(`link add ${near} type veth peer name ${far} netns ${name}`)
    ip(`addr add ${net}.1/30 dev ${near}`)
    ip(`link set ${near} up`)
    ip(`-n ${name} addr add ${net}.2/30 dev ${far}`)
    ip(`-n ${name} link set ${far} up`)
    ip(`-n ${name} link set lo up`)
    const filter = filterOf(name)
    return {
      host: `${net}.2`,
      within: ['ip', 'netns', 'exec', name],
      drop() {
        if (!inside(name, filter.drop)) throw new Error('the packets could not be dropped')
      },
      pass() {
        if (!inside(name, filter.pass)) throw new Error('the packets could not be let through again')
      },
      remove,
    }
  } catch (error) {
    remove()
    throw error
  }
}
