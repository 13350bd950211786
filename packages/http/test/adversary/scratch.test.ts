import { appendFileSync } from 'node:fs'
import { it } from 'vitest'
import { ADAPTERS } from './support/adapters.ts'
import { MIRRORS } from './support/mirror.ts'
import { ALICE } from './support/site.ts'
import { TRICKS, type Trick } from './support/tricks.ts'
import { open, type Wire } from './support/wire.ts'

const labels: string[] = []
process.on('uncaughtException', e => appendFileSync('/tmp/h8-uncaught.txt', `UNCAUGHT ${e.stack}\n ${labels.slice(-40).join('\n ')}\n`))
let seed = 99
const rnd = (n: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % n
const chunked: Trick = { name: 'OPEN-CHUNKED', apply: w => ({ ...w, headers: [...(w.headers ?? []), ['Transfer-Encoding', 'chunked']] }) }
for (const [name, start] of ADAPTERS) if (name === 'front' || name === 'express 5') it(name, async () => {
  const running = await start({ pages: MIRRORS })
  for (let i = 0; i < 90; i++) {
    await Promise.all(Array.from({ length: 25 }, async (_, j) => {
      const page = MIRRORS[rnd(MIRRORS.length)]!.path.replace(':case', 'x')
      const ts = [TRICKS[rnd(TRICKS.length)]!, TRICKS[rnd(TRICKS.length)]!, TRICKS[rnd(TRICKS.length)]!].slice(0, 1 + rnd(3))
      ts.splice(rnd(ts.length + 1), 0, chunked)
      let wire: Wire = { target: page, headers: rnd(2) ? [['Cookie', `login=${ALICE.secret}`]] : [] }
      for (const t of ts) wire = t.apply(wire, 'secretOfAlice7f3a')
      labels.push(`${name} ${page} ${ts.map(t => t.name.slice(0, 60)).join(' + ')}`)
      const { socket, answer } = open(running.port, wire)
      await new Promise(r => setTimeout(r, 60 + rnd(60)))
      j % 3 === 0 ? socket.resetAndDestroy() : j % 3 === 1 ? socket.destroy() : socket.end('zz\r\n\r\n')
      if (j % 3 === 2) { await new Promise(r => setTimeout(r, 20)); socket.destroy() }
      await answer
    }))
  }
  await running.close()
})
