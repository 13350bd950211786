import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createSetup } from '../../src/setup/engine.ts'

/*
 * An installation in a process of its own. `setup-worker.ts apply DIR` changes the settings, says so in the middle of it
 * and waits to be killed; `setup-worker.ts full DIR` tests a directory on a disk without room, in a mount namespace of
 * its own.
 */
const [scenario = '', directory = ''] = process.argv.slice(2)
const alive = setInterval(() => undefined, 60_000)

async function apply(): Promise<never> {
  const setup = createSetup({
    directory,
    environment: {},
    // The file has been renamed when this is called; nothing was answered to whoever applied.
    apply: () => new Promise(() => void process.stdout.write('renamed\n')),
  })
  await setup.open()
  await setup.run('storage', {})
  await setup.run('proposal', { choose: 'disk' })
  await setup.run('apply', {})
  throw new Error('the host answered')
}

async function full(): Promise<void> {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=0700', 'none', join(directory, 'disk')])
  writeFileSync(join(directory, 'disk', 'ballast'), Buffer.alloc(1024 * 1024))
  const setup = createSetup({ directory, environment: {} })
  const storage = await setup.run('storage', { dir: 'disk/cache' })
  await setup.close()
  process.stdout.write(`${JSON.stringify(storage)}\n`)
}

await (scenario === 'apply' ? apply() : full())
clearInterval(alive)
