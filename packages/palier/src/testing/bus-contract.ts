import assert from 'node:assert/strict'
import type { Bus, BusListener } from '../bus.ts'
import type { ContractCase } from './case.ts'

/** Three buses that nobody has attached to yet. */
export interface BusUnderTest {
  readonly first: Bus
  /** On the channel of `first`, as another cache or process would open it. */
  readonly second: Bus
  /** On the same backing, another channel. */
  readonly other: Bus
  /**
   * Resolves once `until` is true, rejects after a deadline of its own. Meanwhile it makes time pass for the buses
   * and, where they pull, polls them.
   */
  settle(until: () => boolean): Promise<void>
  /** Cuts the link of `second` for a moment, so that what is sent meanwhile is missed; the bus must find its way back. */
  breakLink?(): Promise<void>
  /** Closes the buses and takes the backing away. */
  close(): Promise<void>
}

type Sentence = readonly [name: string, trial: (under: BusUnderTest) => Promise<void>, needs?: 'breakLink']

interface Ear extends BusListener {
  readonly heard: string[]
  readonly losses: string[]
}

function ear(): Ear {
  const heard: string[] = []
  const losses: string[] = []
  return { heard, losses, message: text => void heard.push(text), lost: reason => void losses.push(reason) }
}

/** Messages arrive at least once, so a repeat is no fault; the order is that of the first arrivals. */
function firstArrivals(heard: readonly string[]): string[] {
  return [...new Set(heard)]
}

async function attached(under: BusUnderTest): Promise<readonly [Ear, Ear, Ear]> {
  const ears = [ear(), ear(), ear()] as const
  await under.first.attach(ears[0])
  await under.second.attach(ears[1])
  await under.other.attach(ears[2])
  return ears
}

/** The rules of `Bus` as cases to run with any test runner. Each case calls `make` for fresh buses and closes them. */
export function busContract(make: () => Promise<BusUnderTest>): ContractCase[] {
  return [...delivering(), ...trusting(), ...closing()].map(([name, trial, needs]) => ({
    name,
    ...(needs === undefined ? {} : { needs }),
    async run() {
      const under = await make()
      try {
        if (needs !== undefined && under[needs] === undefined) throw new Error(`this case needs ${needs}`)
        await trial(under)
      } finally {
        await under.close()
      }
    },
  }))
}

function delivering(): Sentence[] {
  return [
    [
      'a message reaches the other cache of the channel, both ways, and not its sender',
      async under => {
        const [mine, theirs] = await attached(under)
        await under.first.publish('from first')
        await under.settle(() => theirs.heard.length > 0)
        await under.second.publish('from second')
        await under.settle(() => mine.heard.length > 0)
        assert.deepEqual(firstArrivals(theirs.heard), ['from first'])
        assert.deepEqual(firstArrivals(mine.heard), ['from second'])
      },
    ],
    [
      'channels are separate',
      async under => {
        const [mine, theirs, others] = await attached(under)
        await under.other.publish('elsewhere')
        await under.first.publish('here')
        await under.settle(() => theirs.heard.length > 0)
        assert.deepEqual(others.heard, [])
        assert.deepEqual(mine.heard, [])
        assert.deepEqual(firstArrivals(theirs.heard), ['here'])
      },
    ],
    [
      'a text arrives as it was sent: unicode, newlines, NUL, JSON, 50 KB, the empty text',
      async under => {
        const [, theirs] = await attached(under)
        const texts = [
          'é ключ 键 \u{1F600}',
          'a\nb\r\nc\n',
          'a\0b',
          '{"k":"\\n","t":[1]}',
          'x'.repeat(50_000),
          '',
          ' pad ',
          '1:2|3 4',
          '\u2028',
        ]
        for (const text of texts) await under.first.publish(text)
        await under.settle(() => new Set(theirs.heard).size >= texts.length)
        assert.deepEqual(firstArrivals(theirs.heard), texts)
      },
    ],
    [
      '1,000 messages arrive, all and in order, and nothing is reported lost',
      async under => {
        const [mine, theirs] = await attached(under)
        const texts = Array.from({ length: 1_000 }, (_, i) => `message ${i}`)
        for (let at = 0; at < texts.length; at += 50)
          await Promise.all(texts.slice(at, at + 50).map(text => under.first.publish(text)))
        await under.settle(() => new Set(theirs.heard).size >= texts.length)
        assert.deepEqual(firstArrivals(theirs.heard), texts)
        assert.deepEqual([...mine.losses, ...theirs.losses], [])
      },
    ],
    [
      'two senders talking at once are each heard in their own order',
      async under => {
        const [mine, theirs] = await attached(under)
        const texts = Array.from({ length: 100 }, (_, i) => `m${i}`)
        await Promise.all(texts.flatMap(text => [under.first.publish(text), under.second.publish(text)]))
        await under.settle(() => new Set(mine.heard).size >= 100 && new Set(theirs.heard).size >= 100)
        assert.deepEqual(firstArrivals(mine.heard), texts)
        assert.deepEqual(firstArrivals(theirs.heard), texts)
      },
    ],
    [
      'an answer published while a message is being heard arrives, and disturbs no order',
      async under => {
        const mine = ear()
        const heard: string[] = []
        const answers: Promise<void>[] = []
        await under.first.attach(mine)
        const message = (text: string): void => {
          heard.push(text)
          // A bus that hears itself must fail this case, not answer itself for ever.
          if (heard.length <= 3) answers.push(under.second.publish(`re: ${text}`))
        }
        await under.second.attach({ message, lost: () => undefined })
        for (const text of ['1', '2', '3']) await under.first.publish(text)
        await under.settle(() => new Set(mine.heard).size >= 3)
        await Promise.all(answers)
        assert.deepEqual(firstArrivals(heard), ['1', '2', '3'])
        assert.deepEqual(firstArrivals(mine.heard), ['re: 1', 're: 2', 're: 3'])
      },
    ],
  ]
}

function trusting(): Sentence[] {
  return [
    [
      'a bus is trusted once attached, and not before',
      async under => {
        assert.equal(under.first.poll(), false)
        await under.first.attach(ear())
        await under.settle(() => under.first.poll())
        assert.ok(under.first.trustedUntil > 0)
        assert.ok(under.first.bound >= 0)
      },
    ],
    [
      'peers counts the caches of the channel, this one included',
      async under => {
        await under.first.attach(ear())
        await under.settle(() => under.first.peers() === 1)
        await under.second.attach(ear())
        await under.other.attach(ear())
        await under.settle(() => under.first.peers() === 2 && under.second.peers() === 2 && under.other.peers() === 1)
      },
    ],
    [
      'a broken link is reported as lost, and messages are heard again afterwards',
      async under => {
        const [, theirs] = await attached(under)
        await under.settle(() => under.second.poll())
        await under.breakLink?.()
        await under.settle(() => theirs.losses.length > 0)
        await under.settle(() => under.second.poll())
        await heardAgain(under, theirs)
      },
      'breakLink',
    ],
  ]
}

/** The sender's own link may have been cut by the same stroke: it may refuse for a while, but not for ever. */
async function heardAgain(under: BusUnderTest, theirs: Ear): Promise<void> {
  let publishing = false
  const trying: Promise<void>[] = []
  await under.settle(() => {
    if (theirs.heard.includes('back')) return true
    if (!publishing) {
      publishing = true
      const done = (): void => {
        publishing = false
      }
      trying.push(under.first.publish('back').then(done, done))
    }
    return false
  })
  await Promise.all(trying)
}

function closing(): Sentence[] {
  return [
    [
      'a closed bus hears nothing, refuses to publish, and may be closed again',
      async under => {
        const [mine, theirs] = await attached(under)
        await under.second.close()
        await under.second.close()
        await assert.rejects(async () => under.second.publish('too late'))
        assert.equal(under.second.poll(), false)
        await under.first.publish('after')
        await under.settle(() => under.first.poll())
        assert.deepEqual(theirs.heard, [])
        assert.deepEqual(mine.heard, [])
      },
    ],
    [
      'closing one bus leaves the others at work',
      async under => {
        const [, , others] = await attached(under)
        await under.first.close()
        await under.settle(() => under.second.poll() && under.other.poll())
        await under.second.publish('alone')
        assert.deepEqual(others.heard, [])
      },
    ],
    [
      'a bus may be closed without ever being attached',
      async under => {
        await under.first.close()
        await assert.rejects(async () => under.first.publish('never'))
      },
    ],
  ]
}
