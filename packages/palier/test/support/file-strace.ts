import { spawn } from 'node:child_process'
import { once } from 'node:events'

/*
 * System calls that fail, or kill, as no disk of this machine would: `strace` steps in between a process and its
 * kernel. It must be installed and allowed to trace; where it is not, the test that needs it fails and says so.
 */
export interface Tracing {
  /** From now on the process meets the real system. */
  stop(): Promise<void>
}

const HOW = 'install it (Debian: apt-get install strace) and allow tracing (root, or sysctl kernel.yama.ptrace_scope=0)'

/**
 * Attaches to all threads of `pid`; each of `injections` is as for `strace -e inject=`, like `rename:error=EDQUOT:when=1`.
 * Calls are counted from here on, for each thread by itself.
 */
export async function trace(pid: number, injections: readonly string[]): Promise<Tracing> {
  const specs = injections.flatMap(spec => ['-e', `inject=${spec}`])
  const calls = injections.map(spec => spec.slice(0, spec.indexOf(':'))).join(',')
  const tracer = spawn('strace', ['-f', '-p', String(pid), '-e', `trace=${calls}`, ...specs], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  await new Promise<void>((resolve, reject) => {
    tracer.once('error', cause => reject(new Error(`strace is needed for this test: ${HOW}`, { cause })))
    tracer.once('exit', () => reject(new Error(`strace could not attach: ${said}; ${HOW}`)))
    tracer.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < 4_096) said += text
      if (/attached/.test(said)) resolve()
    })
  })
  const exited = tracer.exitCode === null ? once(tracer, 'exit') : Promise.resolve()
  return {
    async stop() {
      // The kernel lets go of all threads then; asked politely, strace may wait for one that is dead.
      tracer.kill('SIGKILL')
      await exited
    },
  }
}
