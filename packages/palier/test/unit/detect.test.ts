import { describe, expect, test } from 'vitest'
import { type Backend, type Candidate, detect, givenStore, type Probe } from '../../src/detect.ts'
import { memoryStore } from '../../src/index.ts'
import { manualClock } from '../../src/testing.ts'

const found =
  (detail: string): (() => Promise<Probe>) =>
  () =>
    Promise.resolve({ ok: true, detail })
const refused =
  (why: string): (() => Promise<Probe>) =>
  () =>
    Promise.resolve({ ok: false, why, hint: `fix ${why}` })

function candidate(backend: Backend, probe: (budget: number) => Promise<Probe>, wanted = false): Candidate {
  return { backend, wanted, probe, open: () => (backend === 'memory' ? undefined : memoryStore()) }
}

const memory = candidate('memory', found('always there'))

describe('the search for a backend', () => {
  test('takes the first that proves itself, and says why not the others', async () => {
    const list = [candidate('redis', refused('nobody listens')), candidate('filesystem', found('wrote a file')), memory]
    const { backend, why, trace, fellBack, store } = await detect(list, 'auto', manualClock(), 900)
    expect({ backend, fellBack }).toEqual({ backend: 'filesystem', fellBack: false })
    expect(why).toContain('wrote a file')
    expect(why).toContain('redis was refused: nobody listens')
    expect(trace).toEqual([
      { backend: 'redis', outcome: 'refused', why: 'nobody listens', hint: 'fix nobody listens', ms: 0 },
      { backend: 'filesystem', outcome: 'chosen', why: 'wrote a file', ms: 0 },
    ])
    await store?.close()
  })

  test('begins with the one that was asked for, and does not try those before it', async () => {
    let tried = false
    const never = candidate('redis', () => {
      tried = true
      return found('there')()
    })
    const { backend, trace } = await detect(
      [never, candidate('filesystem', found('x')), memory],
      'filesystem',
      manualClock(),
      900,
    )
    expect({ backend, tried }).toEqual({ backend: 'filesystem', tried: false })
    expect(trace[0]).toMatchObject({ backend: 'redis', outcome: 'not tried' })
    expect(trace[0]?.why).toContain('filesystem')
  })

  test('falls back from the one that was asked for, and says so', async () => {
    const list = [candidate('redis', refused('down')), candidate('filesystem', refused('full')), memory]
    const { backend, fellBack, why } = await detect(list, 'redis', manualClock(), 900)
    expect({ backend, fellBack }).toEqual({ backend: 'memory', fellBack: true })
    for (const said of ['always there', 'redis was refused: down', 'filesystem was refused: full']) {
      expect(why).toContain(said)
    }
  })

  test('a probe that throws is a refusal with its reason', async () => {
    const list = [candidate('redis', () => Promise.reject(new Error('no client installed'))), memory]
    const { trace } = await detect(list, 'auto', manualClock(), 900)
    expect(trace[0]).toMatchObject({ outcome: 'refused', why: 'no client installed' })
  })

  test('a probe that never answers costs its budget, and leaves enough for the next', async () => {
    const clock = manualClock()
    const budgets: number[] = []
    const hanging = (backend: Backend): Candidate =>
      candidate(backend, budget => {
        budgets.push(budget)
        return new Promise(() => undefined)
      })
    const searching = detect([hanging('redis'), hanging('filesystem'), memory], 'auto', clock, 900)
    await clock.advance(1500)
    const { backend, trace } = await searching
    expect(backend).toBe('memory')
    expect(budgets).toEqual([900, 100])
    expect(trace.map(step => [step.outcome, step.ms])).toEqual([
      ['refused', 900],
      ['refused', 100],
      ['chosen', 0],
    ])
    expect(trace[0]?.why).toBe('no answer within 900 ms')
    expect(clock.pending()).toBe(0)
  })

  test('a probe that fails after its budget harms nobody', async () => {
    const clock = manualClock()
    const late = candidate('redis', async () => {
      await new Promise<void>(resolve => void clock.after(2000, resolve))
      throw new Error('too late')
    })
    const searching = detect([late, memory], 'auto', clock, 900)
    await clock.advance(5000)
    expect((await searching).backend).toBe('memory')
  })

  test('with no candidate left there is memory', async () => {
    const { backend, store } = await detect([candidate('redis', refused('down'))], 'redis', manualClock(), 900)
    expect({ backend, store }).toEqual({ backend: 'memory', store: undefined })
  })

  test('a backend that proves itself and then cannot be opened is passed over like one that was refused', async () => {
    const breaking: Candidate = {
      backend: 'redis',
      wanted: true,
      probe: found('there'),
      open() {
        throw new Error('options are wrong')
      },
    }
    const { backend, trace } = await detect([breaking, memory], 'auto', manualClock(), 900)
    expect(backend).toBe('memory')
    expect(trace[0]).toMatchObject({ backend: 'redis', outcome: 'refused', why: 'options are wrong' })
  })

  test('gives every place in order, the chosen one open and nothing else', async () => {
    const opened: string[] = []
    const counted = (backend: Backend, probe: () => Promise<Probe>): Candidate => ({
      ...candidate(backend, probe),
      open: () => (opened.push(backend), backend === 'memory' ? undefined : memoryStore()),
    })
    const list = [counted('redis', refused('down')), counted('filesystem', found('x')), counted('memory', found('y'))]
    const { places, chosen, store } = await detect(list, 'auto', manualClock(), 900)
    expect(places.map(one => one.backend)).toEqual(['redis', 'filesystem', 'memory'])
    expect(chosen).toBe(1)
    expect(opened).toEqual(['filesystem'])
    expect(places.map(one => one.opened?.store)).toEqual([undefined, store, undefined])
    expect(places.every(one => one.owned)).toBe(true)
    await store?.close()
  })

  test('a place is wanted when the configuration names the backend, or what it needs', async () => {
    const list = [candidate('redis', refused('down'), true), candidate('filesystem', refused('full')), memory]
    const auto = await detect(list, 'auto', manualClock(), 900)
    expect(auto.places.map(one => one.wanted)).toEqual([true, false, false])
    const named = await detect(list, 'filesystem', manualClock(), 900)
    expect(named.places.map(one => [one.backend, one.wanted])).toEqual([
      ['filesystem', true],
      ['memory', false],
    ])
  })

  test('a place proves itself by its probe, without being opened', async () => {
    let there = false
    let opened = 0
    const late: Candidate = {
      backend: 'redis',
      wanted: false,
      probe: () => (there ? found('there')() : refused('not yet')()),
      open: () => (opened++, memoryStore()),
    }
    const { places } = await detect([late, memory], 'auto', manualClock(), 900)
    await expect(places[0]?.prove()).rejects.toMatchObject({
      code: 'PALIER_STORE_FAILED',
      message: 'redis was refused: not yet',
    })
    there = true
    await expect(places[0]?.prove()).resolves.toBeUndefined()
    expect(opened).toBe(0)
  })

  test('a store that was given is the only place, open, wanted, and not ours to close', async () => {
    const store = memoryStore()
    expect(givenStore(store)).toMatchObject({
      backend: 'custom',
      chosen: 0,
      places: [{ backend: 'custom', wanted: true, owned: false, opened: { store } }],
    })
    await store.close()
  })
})
