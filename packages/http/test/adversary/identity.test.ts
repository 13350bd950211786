import fc from 'fast-check'
import { expect, it } from 'vitest'
import { onEveryAdapter } from './support/adapters.ts'
import { MIRRORS } from './support/mirror.ts'
import { ALICE, BOB, CAROL, EVERYBODY, type User } from './support/site.ts'
import { type Trick, TRICKS } from './support/tricks.ts'
import { type Answer, send, type Wire } from './support/wire.ts'

/** The plain request of somebody: no list of session cookies knows the cookie, so that public pages are kept all the same. */
function plain(target: string, user: User | undefined): Wire {
  return { target, headers: user === undefined ? [] : [['Cookie', `login=${user.secret}`]] }
}

/** Secrets of others, and what belongs to other roles, however it is written. */
function foreignIn(answer: Answer, user: User | undefined): readonly string[] {
  const text = answer.all.toLowerCase()
  const secrets = EVERYBODY.filter(other => other !== user).map(({ secret }) => secret.toLowerCase())
  const roles = ['admin', 'viewer'].filter(role => role !== user?.role).map(role => `for ${role} only`)
  return [...secrets, ...roles].filter(one => text.includes(one))
}

const slug = (trick: Trick): string => `c${TRICKS.indexOf(trick)}`

onEveryAdapter(
  () => ({ pages: MIRRORS }),
  (sites, adapter) => {
    it.each([
      // Pages for everybody are compared with what anybody would be given, with the poisoned ones.
      { page: '/derived', second: (_trick: Trick, wire: Wire) => wire },
      { page: '/mine', second: (trick: Trick, wire: Wire) => trick.apply(wire, BOB.secret) },
    ])('$page: what one sends never reaches another', async ({ page, second }) => {
      const { port } = sites().site
      const leaks: string[] = []
      await Promise.all(
        TRICKS.map(async trick => {
          const target = `${page}/${slug(trick)}`
          const ask = async (user: User, wire: Wire): Promise<void> => {
            const answer = await send(port, wire)
            for (const found of foreignIn(answer, user)) leaks.push(`${trick.name.slice(0, 60)}: ${found}`)
          }
          await ask(ALICE, trick.apply(plain(target, ALICE), ALICE.secret))
          await ask(BOB, second(trick, plain(target, BOB)))
        }),
      )
      expect([...new Set(leaks)]).toEqual([])
    })

    it('in any sequence of requests nobody is given what belongs to another', async () => {
      const { port, clear } = sites().site
      const request = fc.record({
        user: fc.constantFrom(ALICE, BOB, CAROL, undefined),
        page: fc.constantFrom(...MIRRORS.map(({ path }) => path)),
        tricks: fc.array(fc.constantFrom(...TRICKS), { maxLength: 3 }),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(request, { minLength: 2, maxLength: 14 }), async requests => {
          await clear()
          for (const { user, page, tricks } of requests) {
            const start = plain(page.replace(':case', 'x'), user)
            const wire = tricks.reduce((made, trick) => trick.apply(made, user?.secret ?? 'anonymous'), start)
            expect(foreignIn(await send(port, wire), user)).toEqual([])
          }
        }),
        { numRuns: 25, seed: 20261121 + adapter.length },
      )
    })
  },
)
