import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'

/*
 * System calls that fail, or kill, as no disk of this machine would: `strace` steps in between a process and its
 * kernel. It must be installed and allowed to trace; where it is not, the test that needs it fails and says so.
 */
export interface Tracing {
  /** From now on the process meets the real system. */
  stop(): Promise<void>
}

const HOW = 'install it (Debian: apt-get install strace) and allow tracing (root, or sysctl kernel.yama.ptrace_scope=0)'

/** Attaches to all threads of `pid`; resolves once the calls are seen. */
async function attach(pid: number, options: readonly string[]): Promise<ChildProcessByStdio<null, null, Readable>> {
  const tracer = spawn('strace', ['-f', '-p', String(pid), ...options], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  await new Promise<void>((resolve, reject) => {
    tracer.once('error', cause => reject(new Error(`strace is needed for this test: ${HOW}`, { cause })))
    tracer.once('exit', () => reject(new Error(`strace could not attach: ${said}; ${HOW}`)))
    tracer.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < 4_096) said += text
      if (/attached/.test(said)) resolve()
    })
  })
  return tracer
}

export interface Recording {
  /** Ends the recording. The calls that succeeded, in the order they ended: `call` and the path or paths it was about. */
  calls(): Promise<readonly string[]>
}

/** Records these system calls of all threads of `pid`. */
export async function record(pid: number, names: readonly string[]): Promise<Recording> {
  const tracer = await attach(pid, ['-y', '-s', '4096', '-e', `trace=${names.join(',')}`])
  let text = ''
  tracer.stderr.on('data', (more: string) => {
    text += more
  })
  return {
    async calls() {
      const ended = once(tracer.stderr, 'end')
      // Asked politely, so that it lets go and says all it saw.
      tracer.kill('SIGINT')
      await ended
      const begun = new Map<string, string>()
      return text.split('\n').flatMap(line => {
        const thread = /^\[pid +(\d+)\]/.exec(line)?.[1] ?? ''
        const said = line.replace(/^\[pid +\d+\] /, '')
        if (said.includes('<unfinished ...>')) {
          begun.set(thread, said.slice(0, said.indexOf('<unfinished ...>')))
          return []
        }
        const whole = said.startsWith('<... ') ? `${begun.get(thread) ?? ''}${said.replace(/^.*resumed>/, '')}` : said
        const call = /^(\w+)\((.*)\) += \d+/.exec(whole)
        if (call === null) return []
        const paths = [...(call[2] ?? '').matchAll(/^\d+<(.+?)>|"(.+?)"/g)].map(([, fd, name]) => fd ?? name)
        return [[call[1], ...paths].join(' ')]
      })
    },
  }
}

/**
 * Attaches to all threads of `pid`; each of `injections` is as for `strace -e inject=`, like `rename:error=EDQUOT:when=1`.
 * Calls are counted from here on, for each thread by itself.
 */
export async function trace(pid: number, injections: readonly string[]): Promise<Tracing> {
  const specs = injections.flatMap(spec => ['-e', `inject=${spec}`])
  const calls = injections.map(spec => spec.slice(0, spec.indexOf(':'))).join(',')
  const tracer = await attach(pid, ['-e', `trace=${calls}`, ...specs])
  const exited = tracer.exitCode === null ? once(tracer, 'exit') : Promise.resolve()
  return {
    async stop() {
      // The kernel lets go of all threads then; asked politely, strace may wait for one that is dead.
      tracer.kill('SIGKILL')
      await exited
    },
  }
}
