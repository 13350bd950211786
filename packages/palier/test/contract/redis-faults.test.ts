import { describe, expect, test } from 'vitest'
import { isMoving, storeError, topologyChange } from '../../src/stores/redis/faults.ts'
import { backoff, LONGEST_PAUSE, patience } from '../../src/stores/redis/port.ts'
import { shardsOf, signatureOf } from '../../src/stores/redis/slots.ts'
import { addressOf, targetOf } from '../../src/stores/redis/target.ts'
import { createSpacing } from '../../src/stores/redis/watchers.ts'
import { manualClock } from '../../src/testing.ts'

describe('what an error of the server means', () => {
  const WORDS = [
    ["READONLY You can't write against a read only replica.", 'REFUSED', 'READONLY'],
    ['NOREPLICAS Not enough good replicas to write.', 'REFUSED', 'NOREPLICAS'],
    ['MISCONF Redis is configured to save RDB snapshots', 'REFUSED', 'MISCONF'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'REFUSED', 'OOM'],
    ["NOPERM this user has no permissions to run the 'unlink' command", 'REFUSED', 'NOPERM'],
    ["ERR The user executing the script can't run this command or subcommand script: 1f", 'REFUSED', 'NOPERM'],
    ['ERR Error running script (call to f_1): @user_script:4: -OOM command not allowed', 'REFUSED', 'OOM'],
    ['LOADING Redis is loading the dataset in memory', 'FAILED', 'LOADING'],
    ['BUSY Redis is busy running a script.', 'FAILED', 'BUSY'],
    ['MASTERDOWN Link with MASTER is down', 'FAILED', 'MASTERDOWN'],
    ['CLUSTERDOWN Hash slot not served', 'FAILED', 'CLUSTERDOWN'],
    ['TRYAGAIN Multiple keys request during rehashing of slot', 'FAILED', 'TRYAGAIN'],
    ['ERR max number of clients reached', 'FAILED', 'MAXCLIENTS'],
    ['NOAUTH Authentication required.', 'FAILED', 'NOAUTH'],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'FAILED', 'WRONGPASS'],
    ['MOVED 3999 127.0.0.1:6381', 'FAILED', 'MOVED'],
    ['ASK 3999 127.0.0.1:6381', 'FAILED', 'ASK'],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'FAILED', 'WRONGTYPE'],
  ] as const

  for (const [message, outcome, word] of WORDS)
    test(`${message.slice(0, 50)}: ${outcome} for a write, FAILED for a read, its word kept`, () => {
      const [write, read] = [storeError(new Error(message), true, undefined), storeError(new Error(message), false, '')]
      expect(write).toMatchObject({ code: `PALIER_STORE_${outcome}`, cause: { code: word } })
      expect(read).toMatchObject({ code: 'PALIER_STORE_FAILED' })
      expect(write.message).toContain(message.slice(0, 20))
    })

  test('only answers of a server that is no primary any more change the topology', () => {
    const changes = WORDS.filter(([message]) => topologyChange(new Error(message)) !== undefined)
    expect(changes.map(([, , word]) => word)).toEqual(['READONLY', 'MASTERDOWN'])
    expect(topologyChange(new Error('UNBLOCKED force unblock from blocking operation'))).toBeDefined()
  })

  test('a secret is not in it, and only a slot that moves is moving', () => {
    const error = storeError(new Error('TRYAGAIN hunter2'), true, 'hunter2')
    expect(`${error.message} ${String(error.cause)}`).not.toContain('hunter2')
    expect(isMoving(error)).toBe(true)
    expect(isMoving(storeError(new Error('MOVED 1 a:1'), true, undefined))).toBe(false)
    expect(isMoving(new Error('TRYAGAIN'))).toBe(false)
  })
})

describe('how often is tried', () => {
  test('from heal to use is at most 1.5 s by the attempts and pauses', () => {
    for (let failures = 0; failures < 50; failures++) {
      expect(patience(250, failures) + LONGEST_PAUSE.late).toBeLessThanOrEqual(1500)
      expect(backoff(failures)).toBeLessThanOrEqual(500)
      expect(backoff(failures)).toBeGreaterThanOrEqual(25)
    }
    expect([0, 1, 2].map(timeouts => patience(250, timeouts))).toEqual([750, 1125, 1250])
    expect(patience(1000, 5)).toBe(3000)
    expect(patience(10, 0)).toBe(250)
  })

  test('a server that goes on answering as a replica is left at growing intervals', async () => {
    const clock = manualClock()
    const may = createSpacing(clock)
    const at: number[] = []
    for (let second = 0; second <= 40; second += 0.5) {
      if (may()) at.push(second)
      await clock.advance(500)
    }
    expect(at).toEqual([0, 1, 2, 4, 8, 16, 32])
  })
})

describe('where the primary is', () => {
  test('the URL of sentinels is taken apart', () => {
    const target = targetOf('redis+sentinel://me:p%40ss@one:1,two,[::1]:3/main/4', undefined)
    expect(target).toMatchObject({ username: 'me', password: 'p@ss', db: 4, tls: false })
    const nodes = [
      { host: 'one', port: 1 },
      { host: 'two', port: 26_379 },
      { host: '::1', port: 3 },
    ]
    expect(target.sentinel).toEqual({ nodes, name: 'main', username: undefined, password: undefined })
    expect(addressOf(target)).toBe('main of the sentinels one:1, two:26379, [::1]:3')
    expect(targetOf('rediss+sentinel://:x@one/main', undefined)).toMatchObject({ tls: true, password: 'x', db: 0 })
    expect(targetOf('redis+sentinel://one/main', undefined).password).toBeUndefined()
  })

  test('what is no URL of sentinels is refused without being shown', () => {
    for (const rest of [
      'x',
      ':hunter2@x',
      ':hunter2@/main',
      ':hunter2@x/main/db',
      ':hunter2@x:y/main',
      ':%hunter2@x/m',
    ])
      expect(() => targetOf(`redis+sentinel://${rest}`, undefined)).toThrow(
        expect.objectContaining({ code: 'PALIER_BAD_OPTION', message: expect.not.stringContaining('hunter2') }),
      )
    expect(() => targetOf('redis+sentinel://x:99999/main', undefined)).toThrow(/sentinel.nodes/)
    expect(() => targetOf(undefined, undefined, { nodes: [], name: 'main' })).toThrow(/sentinel.nodes/)
    expect(() => targetOf(undefined, undefined, { nodes: [{ host: 'x' }], name: '' })).toThrow(/sentinel.name/)
  })

  test('the slots of a cluster read the same in whatever order they come', () => {
    const node = (port: number, id: string) => [Buffer.from('10.0.0.1'), port, Buffer.from(id)]
    const [a, b] = [
      [0, 99, node(1, 'a'), node(9, 'replica')],
      [100, 16_383, node(2, 'b')],
    ]
    expect(signatureOf(shardsOf([a, b], 'x:1'))).toBe(signatureOf(shardsOf([b, a], 'x:1')))
    expect(shardsOf([a], 'x:1')).toEqual([{ from: 0, to: 99, host: '10.0.0.1', port: 1, id: 'a' }])
    expect(shardsOf([[0, 1, [null, 7, Buffer.from('c')]]], '[::1]:7')[0]).toMatchObject({ host: '::1', port: 7 })
    expect(shardsOf(null, 'x:1')).toEqual([])
  })
})
