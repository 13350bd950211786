import { describe, expect, test } from 'vitest'
import type { CorrectnessProof, Fact, MeasuredRow, RedisCandidate, StorageResult } from '../../src/setup/contract.ts'
import { decide, propose } from '../../src/setup/proposal.ts'
import { sentence } from '../../src/setup/room.ts'

const timing = (p50: number, p95 = p50 * 2) => ({ p50, p95, low: p50 * 0.9, high: p50 * 1.1, samples: 100 })
const cut: CorrectnessProof = { id: 'cut', outcome: 'passed', text: sentence('proof.cut.passed', { ms: 7 }), ms: 7 }
const torn: CorrectnessProof = { id: 'torn', outcome: 'failed', text: sentence('proof.torn.failed') }

function row(id: string, p50: number, more: Partial<MeasuredRow> = {}): MeasuredRow {
  return {
    ...{ id, name: sentence('name.disk'), readHit: timing(p50), write: timing(p50), mixed: undefined, proofs: [cut] },
    ...{ cost: { files: 0, bytes: 0, connections: 0 }, comparison: undefined, failure: undefined },
    ...more,
  }
}

const bad: Fact = {
  id: 'access',
  verdict: 'bad',
  label: sentence('redis.access'),
  text: sentence('redis.access.shared'),
}

function candidate(more: Partial<RedisCandidate> = {}): RedisCandidate {
  return {
    ...{
      id: 'tcp:h:1/0',
      where: 'h:1',
      how: 'port',
      state: 'ready',
      verdict: 'good',
      text: sentence('redis.state.ready'),
    },
    ...{ hasPassword: true, latency: 0.1, facts: [], usable: true, recommended: true },
    ...more,
  }
}

function storage(more: Partial<StorageResult> = {}): StorageResult {
  const text = sentence('storage.budget.is', { n: 1, files: 1, size: '1 MiB' })
  return {
    ...{ dir: '/d', usable: true, tests: [], kind: 'local', visibleAfter: 1, quota: {} },
    budget: { files: 500, bytes: 2 ** 20, entries: 256, text },
    ...more,
  }
}

const redis = (...candidates: RedisCandidate[]) =>
  ({
    candidates,
    silent: [],
    client: 'redis',
    install: undefined,
    summary: sentence('redis.summary.none'),
    scanned: 0,
  }) as const
const measure = (...rows: MeasuredRow[]) => ({ rows, rounds: 100, took: 1, stopped: undefined })

describe('the proposal', () => {
  test('is a near Redis with a password, with the takeover that was measured and what was seen', () => {
    const { proposal, alternatives } = propose({
      storage: storage(),
      redis: redis(candidate()),
      measure: measure(row('tcp:h:1/0', 100), row('disk', 80)),
    })
    expect(proposal).toMatchObject({
      id: 'tcp:h:1/0',
      backend: 'redis',
      chain: ['memory', 'tcp:h:1/0', 'disk', 'origin'],
      against: [],
    })
    expect(proposal.takeover).toEqual(sentence('proposal.takeover.disk', { ms: 7 }))
    expect(proposal.evidence).toContainEqual(sentence('proposal.reads', { p50: 0.1, p95: 0.2 }))
    expect(proposal.evidence.length).toBeLessThanOrEqual(3)
    expect(alternatives.map(one => one.id)).toEqual(['disk', 'memory'])
  })

  test('is the disk when Redis is far away, open to others, torn in a proof, or not there', () => {
    const rows = measure(row('tcp:h:1/0', 9000), row('disk', 80))
    expect(propose({ storage: storage(), redis: redis(candidate()), measure: rows }).proposal.id).toBe('disk')
    const open = candidate({ state: 'open', hasPassword: false, facts: [bad], recommended: false })
    const shared = propose({
      storage: storage(),
      redis: redis(open),
      measure: measure(row('tcp:h:1/0', 90), row('disk', 80)),
    })
    expect(shared.proposal.id).toBe('disk')
    expect(shared.alternatives.find(one => one.backend === 'redis')?.against).toContainEqual(bad.text)
    const broken = propose({
      storage: storage(),
      redis: redis(candidate()),
      measure: measure(row('tcp:h:1/0', 90, { proofs: [torn] }), row('disk', 80)),
    })
    expect(broken.proposal.id).toBe('disk')
    expect(propose({ storage: storage(), redis: redis(), measure: measure(row('disk', 80)) }).proposal.id).toBe('disk')
  })

  test('is memory when nothing else can be used, and says what that means for several processes', () => {
    const nothing = storage({
      usable: false,
      tests: [{ ...bad, id: 'create', text: sentence('storage.refused', { errno: 'EROFS' }) }],
    })
    expect(propose({ storage: nothing, redis: redis() }).proposal.id).toBe('memory')
    const server = { processes: 3 } as Parameters<typeof propose>[0]['server'] & object
    const several = propose({ server, storage: nothing, redis: redis() }).proposal
    expect(several.against).toEqual([sentence('proposal.memory.several', { n: 3 })])
  })

  test('offers other backends before more of the same, and any of them may be chosen', () => {
    const second = candidate({ id: 'tcp:h:2/0', where: 'h:2' })
    const facts = { storage: storage(), redis: redis(candidate(), second) }
    expect(propose(facts).alternatives.map(one => one.id)).toEqual(['disk', 'memory'])
    expect(decide(facts, { choose: 'tcp:h:2/0' }).chosen.id).toBe('tcp:h:2/0')
    const bare = { ...redis(candidate({ usable: false, recommended: false })), client: undefined }
    const without = propose({ storage: storage(), redis: bare })
    expect(without.proposal.id).toBe('disk')
    expect(without.alternatives.find(one => one.backend === 'redis')?.against).toEqual([
      sentence('redis.summary.client'),
    ])
  })

  test('may be passed over, but against the tests only with a reason', () => {
    const open = candidate({ state: 'open', hasPassword: false, facts: [bad], recommended: false })
    const facts = { storage: storage(), redis: redis(open), measure: measure(row('disk', 80)) }
    expect(decide(facts, { choose: 'memory' }).chosen.id).toBe('memory')
    expect(() => decide(facts, { choose: open.id })).toThrow(/^reason: expected why you use it against the tests/)
    expect(decide(facts, { choose: open.id, reason: ' I know ' })).toMatchObject({
      chosen: { id: open.id },
      reason: 'I know',
    })
    expect(() => decide(facts, { choose: 'nowhere' })).toThrow(/^choose: expected disk, memory, tcp:h:1\/0/)
  })
})
