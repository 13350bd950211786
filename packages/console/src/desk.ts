import { type Access, type Identity, mayAs } from './access.ts'
import { type Answer, givenResponse, newId, type Problem, problem, problemOf, problemResponse } from './answer.ts'
import type { Audit, AuditEntry } from './audit.ts'
import type { Brakes } from './brakes.ts'
import { readFields } from './input.ts'
import type { Room } from './room.ts'
import type { Route } from './router.ts'

/** A request on its way to its answer. */
export interface Passage {
  readonly request: Request
  readonly url: URL
  /** The client's, where it is known. */
  readonly address: string | undefined
}

/** Lets somebody with access do what a route does, or says why not, and writes changes down. */
export interface Desk {
  serve(passage: Passage, identity: Identity, route: Route, rest: string): Promise<Response>
  /** An answer for an error nobody foresaw; the log has it under the id in the answer. */
  failed(error: unknown, what: string): Response
}

/** Longest target in the audit log. */
const LONGEST_TARGET = 300

interface Hindrance {
  readonly problem: Problem
  /** Whether it belongs into the audit log, which a series of refusals must not fill. */
  readonly isTold: boolean
}

function outcomeOf(status: number): AuditEntry['outcome'] {
  if (status === 202) return 'pending'
  if (status < 300) return 'done'
  return status < 500 && status !== 409 ? 'refused' : 'failed'
}

/** What became of a request, and what the audit log is to say of it. */
interface Outcome {
  readonly answer: Answer
  readonly target: string | undefined
  readonly isTold: boolean
}

export function createDesk(room: Room, access: Access, brakes: Brakes, audit: Audit): Desk {
  const { clock, log } = room

  const problemFor = (error: unknown, what: string): Problem => {
    const told = problemOf(error)
    if (told.status !== 500) return told
    const id = newId()
    log.warn(`[CACHE CONSOLE] ${id}: ${what}: ${JSON.stringify(String(error))}`)
    return { ...told, id }
  }

  /** Why somebody with access may not do this. */
  const hindrance = async (
    { request, address }: Passage,
    identity: Identity,
    { role, kind, rare }: Route,
  ): Promise<Hindrance | undefined> => {
    const forbidden = mayAs(identity, role)
      ? kind !== 'read' && (await access.forged(request, identity))
      : problem(403, 'role-too-low', `this needs the role ${role}; yours is ${identity.role}`)
    if (forbidden) return { problem: forbidden, isTold: await brakes.refuse(address) }
    if (kind === 'read') return undefined
    const stopped =
      (await brakes.take(kind === 'look' ? 'looks' : 'changes', identity, address)) ??
      (rare === true ? await brakes.take('clears', identity, address) : undefined)
    return stopped && { problem: stopped.problem, isTold: stopped.isFirst }
  }

  const attempt = async (passage: Passage, identity: Identity, route: Route, rest: string): Promise<Outcome> => {
    let target = rest === '' ? undefined : rest
    const aim = (at: string): void => {
      target = at
    }
    try {
      const hindered = await hindrance(passage, identity, route)
      if (hindered !== undefined) return { answer: hindered, target, isTold: hindered.isTold }
      const hasBody = route.method === 'POST' || route.method === 'PUT'
      const body = hasBody ? await readFields(passage.request) : { fields: {} }
      if ('problem' in body) return { answer: body, target, isTold: true }
      const { request, url } = passage
      const asked = { query: url.searchParams, rest, fields: body.fields, who: identity, headers: request.headers }
      const answer = await route.answer({ ...asked, aim })
      return { answer, target, isTold: true }
    } catch (error) {
      return { answer: { problem: problemFor(error, route.name) }, target, isTold: true }
    }
  }

  const writeDown = (passage: Passage, { role, name }: Identity, what: string, outcome: Outcome): Promise<void> => {
    const { answer, target } = outcome
    const status = 'problem' in answer ? answer.problem.status : (answer.status ?? 200)
    return audit.record({
      at: clock.wall(),
      who: { role, ...(name !== undefined && { name }) },
      ...(passage.address !== undefined && { from: passage.address }),
      what,
      ...(target !== undefined && { target: target.slice(0, LONGEST_TARGET) }),
      ...(answer.count !== undefined && { count: answer.count }),
      outcome: outcomeOf(status),
      status,
      ...('problem' in answer && { code: answer.problem.code }),
    })
  }

  return {
    async serve(passage, identity, route, rest) {
      const outcome = await attempt(passage, identity, route, rest)
      if (route.kind === 'change' && outcome.isTold) await writeDown(passage, identity, route.name, outcome)
      if ('problem' in outcome.answer) return problemResponse(outcome.answer.problem)
      return givenResponse(outcome.answer, route.kind === 'read' ? await access.headersFor(identity) : {})
    },
    failed: (error, what) => problemResponse(problemFor(error, what)),
  }
}
