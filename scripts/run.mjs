// Runs a command as a child of this script and makes sure that it never outlives it: an interrupt reaches the whole
// tree the child has started, gently first, then by force.
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

const GRACE_MS = 5000
/** Each child with the promise of its end. */
const running = new Map()
const windows = process.platform === 'win32'

function signalTree(child, signal) {
  if (child.pid === undefined) return
  try {
    // The child leads its own process group, so that what it started goes with it.
    if (windows) child.kill(signal)
    else process.kill(-child.pid, signal)
  } catch (error) {
    // Already gone; macOS answers EPERM for a group of the dead.
    if (error.code !== 'ESRCH' && error.code !== 'EPERM') throw error
  }
}

let ending = false

function interrupted(number) {
  if (ending) return
  ending = true
  const children = [...running.keys()]
  const finish = () => process.exit(128 + number)
  const force = setTimeout(() => {
    for (const child of children) signalTree(child, 'SIGKILL')
    finish()
  }, GRACE_MS)
  for (const child of children) signalTree(child, 'SIGTERM')
  void Promise.all(children.map(child => running.get(child))).then(() => {
    clearTimeout(force)
    finish()
  })
}

const handlers = [
  ['SIGINT', () => interrupted(2)],
  ['SIGTERM', () => interrupted(15)],
  ['SIGHUP', () => interrupted(1)],
]

// Signals are ours only while a child runs: what this process does next has its own way with them.
function started(child, ended) {
  if (running.size === 0) for (const [signal, handler] of handlers) process.on(signal, handler)
  running.set(child, ended)
}

function stopped(child) {
  running.delete(child)
  if (running.size === 0 && !ending) for (const [signal, handler] of handlers) process.off(signal, handler)
}

/** The path of a tool that the workspace has installed. */
export function tool(name) {
  return join(root, 'node_modules', '.bin', windows ? `${name}.cmd` : name)
}

/**
 * Runs a command from the repository's root, without a standard input; resolves with its exit code and all it has
 * printed. `show: false` keeps the output back.
 */
export function run(command, args, { env = {}, show = true } = {}) {
  const colour = show && process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, ...colour, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: !windows,
    shell: windows,
  })
  let output = ''
  for (const [stream, target] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ]) {
    stream.setEncoding('utf8')
    stream.on('data', text => {
      output += text
      if (show) target.write(text)
    })
  }
  const ended = new Promise(resolve => {
    child.on('error', error => resolve({ code: 127, output: `${output}${error.message}\n` }))
    // Whatever the child leaves behind would hold its output open, and with it this script.
    child.on('exit', () => signalTree(child, 'SIGKILL'))
    child.on('close', code => resolve({ code: code ?? 1, output }))
  }).finally(() => stopped(child))
  started(child, ended)
  return ended
}
