// Runs a program of apps/campaigns from its sources, with the arguments of this command; its exit code becomes ours.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { ensureInstalled } from './bootstrap.mjs'
import { root } from './run.mjs'

export async function runProgram(file, args = process.argv.slice(2)) {
  await ensureInstalled()
  const program = join(root, 'apps', 'campaigns', file)
  const loader = import.meta.resolve('tsx')
  const child = spawn(process.execPath, ['--conditions=source', '--import', loader, program, ...args], {
    stdio: 'inherit',
  })
  // The terminal sends them to the program as well; it says when it is done.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
  const [code, signal] = await once(child, 'exit')
  process.exitCode = code ?? (signal === null ? 1 : 128)
}
