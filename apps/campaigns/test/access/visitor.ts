import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import type { Role } from '../../server/database/schema.ts'
import type { Services } from '../../server/services.ts'

/** A browser as far as the server can tell: it keeps its cookie, and sends the token it was given. */
export interface Visitor {
  /** Name and value of the session's cookie; changed by each answer that sets one. */
  cookie: string | undefined
  token: string | undefined
  send(request: InjectOptions): Promise<LightMyRequestResponse>
  get(url: string): Promise<LightMyRequestResponse>
  post(url: string, payload?: object): Promise<LightMyRequestResponse>
  patch(url: string, payload: object): Promise<LightMyRequestResponse>
  delete(url: string): Promise<LightMyRequestResponse>
  login(email: string, password: string): Promise<LightMyRequestResponse>
}

export function createVisitor(app: FastifyInstance): Visitor {
  const visitor: Visitor = {
    cookie: undefined,
    token: undefined,
    async send(request) {
      const own = {
        ...(visitor.cookie === undefined ? {} : { cookie: visitor.cookie }),
        ...(visitor.token === undefined ? {} : { 'x-csrf-token': visitor.token }),
      }
      const answer = await app.inject({ ...request, headers: { ...own, ...request.headers } })
      const set = answer.cookies.find(({ name }) => name.endsWith('session'))
      if (set !== undefined)
        visitor.cookie = set.value === '' ? undefined : `${set.name}=${encodeURIComponent(set.value)}`
      return answer
    },
    get: url => visitor.send({ url }),
    post: (url, payload) => visitor.send({ method: 'POST', url, ...(payload === undefined ? {} : { payload }) }),
    patch: (url, payload) => visitor.send({ method: 'PATCH', url, payload }),
    delete: url => visitor.send({ method: 'DELETE', url }),
    async login(email, password) {
      const answer = await visitor.post('/api/v1/auth/login', { email, password })
      if (answer.statusCode === 200) visitor.token = answer.json<{ csrf_token: string }>().csrf_token
      return answer
    },
  }
  return visitor
}

export const PASSWORD = 'correct staple, no horse'

export interface Person {
  readonly id: string
  readonly email: string
}

/** A person who can log in with PASSWORD, made without the API that tests are about. */
export async function addPerson({ database, newId, now, passwords }: Services, role: Role): Promise<Person> {
  const id = newId()
  const email = `${role}.${id}@example.org`
  const row = { name: `Some ${role}`, role, status: 'active', locale: 'en', session_epoch: 1 } as const
  const password_hash = await passwords.hash(PASSWORD)
  const times = { created_at: now(), updated_at: now() }
  await database.writer
    .insertInto('users')
    .values({ id, email, password_hash, ...row, ...times })
    .execute()
  return { id, email }
}

/** Somebody of that role who is logged in. */
export async function comeIn(app: FastifyInstance, services: Services, role: Role): Promise<Visitor & Person> {
  const person = await addPerson(services, role)
  const visitor = createVisitor(app)
  await visitor.login(person.email, PASSWORD)
  return Object.assign(visitor, person)
}
