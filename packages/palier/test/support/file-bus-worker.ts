import { createInterface } from 'node:readline'
import { fileStore } from '../../src/stores/file/store.ts'

/*
 * A cache of another process on channel `c`: `file-bus-worker.ts DIR NAME`. Answers `attach`, `say N`, and `heard` with
 * how many messages it heard and how many of them did not come from the other worker.
 */
const [dir = '', name = ''] = process.argv.slice(2)
const store = fileStore({ dir })
const bus = store.openBus('c')
const heard: string[] = []
const print = (line: string): void => void process.stdout.write(`${line}\n`)

async function answer(line: string): Promise<string> {
  const [command, argument] = line.split(' ')
  if (command === 'attach') {
    await bus.attach({ message: text => void heard.push(text), lost: reason => void heard.push(`lost: ${reason}`) })
    return 'attached'
  }
  if (command === 'say') {
    for (let i = 0; i < Number(argument); i++) await bus.publish(`${name} ${i} ${'.'.repeat(150)}`)
    return 'said'
  }
  bus.poll()
  return `${heard.length} ${heard.filter(text => !/^[ab] /.test(text)).length}`
}

createInterface({ input: process.stdin }).on('line', line => {
  answer(line).then(print, (error: unknown) => print(String(error)))
})
print('ready')
