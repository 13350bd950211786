import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, until } from './redis-server.ts'

/*
 * A redis-server in a network namespace of its own, at the other end of a virtual cable, so that a real partition can be
 * made: packets are dropped, nothing is refused or reset, and TCP backs off as it does in the wild. As with the other
 * servers a guard process cleans up however the test process ends, kill -9 included: server, namespace, cable, files.
 */

export interface CutOffRedis {
  readonly host: string
  readonly port: number
  readonly url: string
  readonly pid: number
  /** From here on no packet reaches the server. */
  drop(): void
  /** Packets pass again. */
  pass(): void
  /** May be called twice. */
  stop(): Promise<void>
}

function run(command: string, args: readonly string[]): string | undefined {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (error !== undefined) return `${command}: ${error.message}`
  return status === 0 ? undefined : `${command} ${args.join(' ')}: ${stderr.trim()}`
}

function ip(command: string): void {
  const failed = run('ip', command.split(' '))
  if (failed !== undefined) throw new Error(failed)
}

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

/** The first way of dropping packets that can be run inside; throws when there is none. */
function filterOf(inside: (command: readonly string[]) => string | undefined): Filter {
  const reasons: string[] = []
  for (const filter of FILTERS) {
    const failed = inside(filter.drop) ?? inside(filter.pass)
    if (failed === undefined) return filter
    reasons.push(failed)
  }
  throw new Error(`packets cannot be dropped here (apt-get install nftables): ${reasons.join('; ')}`)
}

interface Wire {
  readonly name: string
  readonly near: string
  readonly host: string
  inside(command: readonly string[]): string | undefined
  remove(): void
}

function layWire(): Wire {
  const id = randomBytes(4)
  const name = `pt${id.toString('hex')}`
  const [near, far] = [`${name}a`, `${name}b`]
  // Networks of four addresses in 198.19.0.0/16, which is set aside for tests of networks.
  const [net, base] = [`198.19.${id[0]}`, (id[1] ?? 0) & 0xfc]
  const remove = (): void => {
    // The cable may outlive the namespace for a moment and would keep its address.
    spawnSync('ip', ['link', 'del', near], { stdio: 'ignore' })
    spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' })
  }
  try {
    ip(`netns add ${name}`)
    ip(`link add ${near} type veth peer name ${far} netns ${name}`)
    ip(`addr add ${net}.${base + 1}/30 dev ${near}`)
    ip(`link set ${near} up`)
    ip(`-n ${name} addr add ${net}.${base + 2}/30 dev ${far}`)
    ip(`-n ${name} link set ${far} up`)
    ip(`-n ${name} link set lo up`)
  } catch (error) {
    remove()
    throw error
  }
  return {
    name,
    near,
    host: `${net}.${base + 2}`,
    inside: command => run('ip', ['netns', 'exec', name, ...command]),
    remove,
  }
}

function pongs(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, host)
    socket.on('connect', () => socket.write('PING\r\n'))
    socket.on('data', data => {
      socket.destroy()
      resolve(String(data).startsWith('+PONG'))
    })
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
  })
}

/** Why `startCutOffRedis` cannot work on this machine; undefined where it can. For a test that says what it leaves out. */
export function whyNoNamespace(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are a thing of Linux'
  if (process.getuid?.() !== 0) return 'a network namespace can be made by root only'
  try {
    const wire = layWire()
    try {
      filterOf(wire.inside)
    } finally {
      wire.remove()
    }
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const CLEAN = 'cat >/dev/null; kill -9 "$0" 2>/dev/null; ip link del "$1" 2>/dev/null; ip netns del "$2"; rm -rf "$3"'

/** Throws with the reason where it cannot be done. */
export async function startCutOffRedis(): Promise<CutOffRedis> {
  const wire = layWire()
  const dir = await mkdtemp(join(tmpdir(), 'palier-redis-'))
  const port = await freePort()
  const { host, name } = wire
  const args = ['--port', String(port), '--bind', host, '--protected-mode', 'no', '--dir', dir, '--save', '']
  const server = spawn('ip', ['netns', 'exec', name, 'redis-server', ...args], { stdio: 'ignore' })
  const exited = once(server, 'exit')
  // `ip` becomes redis-server, so this is the server's own.
  const { pid } = server
  if (pid === undefined) {
    wire.remove()
    throw new Error('ip cannot be run')
  }
  const guard = spawn('sh', ['-c', CLEAN, String(pid), wire.near, name, dir], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  guard.unref()
  let stopped: Promise<void> | undefined
  const end = async (): Promise<void> => {
    server.kill('SIGKILL')
    await exited
    guard.kill('SIGKILL')
    wire.remove()
    await rm(dir, { recursive: true, force: true })
  }
  const stop = (): Promise<void> => (stopped ??= end())
  const act = (command: readonly string[]): void => {
    const failed = wire.inside(command)
    if (failed !== undefined) throw new Error(failed)
  }
  try {
    const filter = filterOf(wire.inside)
    await until(`redis-server in ${name} answers PING`, () => pongs(host, port))
    return {
      host,
      port,
      url: `redis://${host}:${port}`,
      pid,
      drop: () => act(filter.drop),
      pass: () => act(filter.pass),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
