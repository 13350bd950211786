import { join } from 'node:path'
import { startChild } from './children.ts'
import { expectNothing, expectSame, type Page, page, withDirectory } from './fixtures.ts'
import { ASYNC, FILE_KEEPERS, SYNC } from './file-keepers.ts'
import { type Aim, ahead, type Contestant, measure, type Verdict, within, type Work } from './harness.ts'
import { inGroups, type KeeperKind, session } from './keeper.ts'
import { messageOf } from './say.ts'
import { versionOf } from './surroundings.ts'
import type { Facts, RunOptions, Table, TableResult } from './table.ts'
import type { TornResult, TornTask } from './torn-child.ts'

/** So many keys in turn, each with another value of the same size. */
const KEYS = 128
const BYTES = 2048

const keyOf = (i: number): string => `page-${i % KEYS}`

type Verb = 'get' | 'set' | 'delete'

const PAGES: readonly Page[] = Array.from({ length: KEYS }, (_none, i) => page(BYTES, i + 1))

function contestant(kind: KeeperKind<string>, dir: string, verb: Verb, atOnce: number): Contestant {
  return {
    ...kind,
    async open() {
      const keeper = await kind.open(join(dir, `${verb}-${atOnce}-${kind.name.replaceAll(/\W+/g, '-')}`))
      const set = (i: number): Promise<unknown> => keeper.set(keyOf(i), PAGES[i % KEYS] ?? {})
      // A deletion needs something to delete: other keys each time, all written before the clock starts.
      const doomed = (i: number): string => `doomed-${i}`
      const operations = {
        get: (i: number) => keeper.get(keyOf(i)),
        set,
        delete: async (i: number) => keeper.delete?.(doomed(i)),
      }
      return session(keeper, {
        async check() {
          expectNothing(await keeper.get('absent'), 'an absent key')
          for (let i = 0; i < KEYS; i++) await set(i)
          for (let i = 0; i < KEYS; i++) expectSame(await keeper.get(keyOf(i)), PAGES[i], keyOf(i))
          await keeper.set('gone', PAGES[0] ?? {})
          await keeper.delete?.('gone')
          expectNothing(await keeper.get('gone'), 'a deleted key')
        },
        async prepare(n) {
          if (verb === 'delete') await inGroups(n, 1, i => keeper.set(doomed(i), PAGES[i % KEYS] ?? {}))
        },
        run: n => inGroups(n, atOnce, operations[verb]),
      })
    },
  }
}

function aimsOf(verb: Verb): Aim[] {
  const peers = FILE_KEEPERS.filter(({ role }) => role === 'peer').map(({ name }) => name)
  const best = 'palier, compress: false'
  if (verb === 'get') return [within(best, SYNC, 1.3), ahead('palier', peers, 1)]
  if (verb === 'set') return [within(best, ASYNC, 1.2), ahead('palier', peers, 1)]
  return [ahead('palier', peers, 1)]
}

function work(dir: string, verb: Verb, atOnce: number, mostDeletes: number): Work {
  return {
    name: `${verb}, 2 KB, ${atOnce === 1 ? 'one at a time' : `${atOnce} at once`}`,
    what:
      verb === 'get'
        ? `one of ${KEYS} entries, from a warm page cache`
        : `one of ${verb === 'set' ? KEYS : 'many'} entries`,
    atOnce,
    ...(verb === 'delete' && { most: mostDeletes }),
    contestants: FILE_KEEPERS.map(kind => contestant(kind, dir, verb, atOnce)),
    aims: aimsOf(verb),
  }
}

/** Two processes write one key over and over, this one's third reads it: what does a reader see? */
async function torn(dir: string, ms: number, kinds: readonly KeeperKind<string>[]): Promise<Facts> {
  const rows: string[][] = []
  const verdicts: Verdict[] = []
  for (const { name, role } of kinds) {
    const task = (reads: boolean): TornTask => ({ keeper: name, dir: join(dir, `torn-${rows.length}`), reads, ms })
    try {
      const children = await Promise.all(
        [true, false, false].map(reads => startChild<TornResult>('./torn-child.ts', task(reads))),
      )
      const results = await Promise.all(children.map(child => child.go()))
      const sum = (pick: (result: TornResult) => number): number => results.reduce((total, one) => total + pick(one), 0)
      const bad = sum(one => one.torn + one.failed)
      rows.push([
        name,
        ...[
          sum(one => one.writes),
          sum(one => one.whole),
          sum(one => one.absent),
          sum(one => one.torn),
          sum(one => one.failed),
        ].map(String),
      ])
      if (role === 'palier')
        verdicts.push({
          text: `${name}: no torn read`,
          met: bad === 0 && sum(one => one.whole) > 0,
          figure: `${bad} of ${sum(one => one.whole)}`,
        })
    } catch (error) {
      rows.push([name, messageOf(error), '', '', '', ''])
    }
  }
  return {
    name: 'torn reads',
    what: `two processes write one key with pages of 2 KB to 64 KB for ${ms} ms, a third reads it; absent: the reader was told that there is none, torn: a value nobody wrote, failed: an error`,
    columns: ['contestant', 'writes', 'whole', 'absent', 'torn', 'failed'],
    rows,
    verdicts,
  }
}

async function run({ pace, quick, say }: RunOptions): Promise<TableResult> {
  return withDirectory(async dir => {
    const chosen: [Verb, number][] = quick
      ? [
          ['get', 1],
          ['set', 32],
          ['delete', 1],
        ]
      : [
          ['get', 1],
          ['get', 32],
          ['set', 1],
          ['set', 32],
          ['delete', 1],
          ['delete', 32],
        ]
    const works = []
    for (const [verb, atOnce] of chosen) {
      const one = work(dir, verb, atOnce, quick ? 8 : 128)
      say(`measuring ${one.name}`)
      works.push(await measure(one, pace, versionOf))
    }
    say('looking for torn reads')
    return {
      works,
      facts: [
        await torn(
          dir,
          quick ? 200 : 2000,
          quick ? FILE_KEEPERS.filter(({ name }) => name === 'palier') : FILE_KEEPERS,
        ),
      ],
      missing: [],
    }
  })
}

export const files: Table = { name: 'files', title: 'Files: one file per entry', run }
