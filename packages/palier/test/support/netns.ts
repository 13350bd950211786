import { execFile, execFileSync } from 'node:child_process'
import { compiled } from './compiled.ts'

/*
 * A network of one process and its children: a network namespace with a loopback of its own, in which every port is free
 * and packets can be dropped. It is gone with the process, however that ends, and nothing outside can see it.
 */

export interface ScriptEnd {
  readonly code: number | null
  readonly signal: string | null
  /** What the script printed, read as JSON; undefined when it printed nothing. */
  readonly report: unknown
  readonly errors: string
}

export interface ScriptOptions {
  readonly nodeArgs?: readonly string[]
  /** In namespaces of its own: `net` for packets that are dropped, `mount` for disks that are full. */
  readonly namespaces?: readonly ('net' | 'mount')[]
  readonly timeout?: number
}

/** Runs a script of `test/support` in a process of its own, to its end. */
export async function runScript(
  name: string,
  args: readonly string[],
  options: ScriptOptions = {},
): Promise<ScriptEnd> {
  const { nodeArgs = [], namespaces = [], timeout = 60_000 } = options
  const script = await compiled(new URL(`${name}.ts`, import.meta.url))
  const node = [process.execPath, ...nodeArgs, script, ...args]
  /** Root needs only the namespaces; anybody else a user namespace too. */
  const asRoot = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
  const [file = '', ...rest] =
    namespaces.length === 0 ? node : ['unshare', ...asRoot, ...namespaces.map(one => `--${one}`), ...node]
  return new Promise(resolve => {
    const child = execFile(file, rest, { timeout, killSignal: 'SIGKILL' }, (_error, stdout, stderr) => {
      resolve({
        code: child.exitCode,
        signal: child.signalCode,
        report: stdout === '' ? undefined : (JSON.parse(stdout) as unknown),
        errors: stderr,
      })
    })
  })
}

const nft = (rules: string): void => void execFileSync('nft', ['-f', '-'], { input: rules })

/** To be called first by a script that runs in a network namespace: its loopback is down until then. */
export function raiseLoopback(): void {
  execFileSync('ip', ['link', 'set', 'lo', 'up'])
  nft('table inet palier {\n chain input {\n type filter hook input priority 0\n }\n}')
}

/** From now on packets to and from this port vanish, as they do behind a broken switch: nobody is told. */
export function dropPackets(port: number): void {
  nft(`add rule inet palier input tcp dport ${port} drop\nadd rule inet palier input tcp sport ${port} drop`)
}

export function carryPackets(): void {
  nft('flush chain inet palier input')
}
