import { openOwned, outcome, type OwnClient } from './redis-owned.ts'

/*
 * Runs in a process of its own, with no listener attached anywhere: calls a store of its own connections without
 * pause until it is told to stop, then closes it and has nothing left to live for.
 */
const [client, ...urls] = process.argv.slice(2)

const all = urls.map(url => openOwned(client as OwnClient, { url }))
const buses = all.map(({ store }) => store.openBus('c'))
let isRunning = true
let calls = 0
let slowest = 0

process.on('message', message => {
  if (message === 'stop') isRunning = false
})
for (const bus of buses) bus.attach({ message: () => {}, lost: () => {} }).catch(() => {})

async function load({ store }: (typeof all)[number]): Promise<void> {
  // Loading the client holds the process up by itself, so the first round is no measure of anything.
  for (let round = 0; isRunning; round++) {
    for (const call of [
      () => store.get('a'),
      () => store.getMany(['a', 'b']),
      () => store.set('a', Buffer.from('x'), 60_000),
      () => store.delete(['a']),
      () => store.identity(),
    ]) {
      const { ms } = await outcome(call)
      calls++
      if (round > 0) slowest = Math.max(slowest, ms)
    }
    if (calls % 50 === 0) store.reconnect?.()
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

process.send?.('ready')
await Promise.all(all.map(load))
await Promise.all([...buses, ...all].map(each => each.close()))
process.send?.({ calls, slowest })
process.disconnect?.()
