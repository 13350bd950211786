import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSetup, type Setup, type SetupOptions } from 'palier/setup'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startRedis } from '../../palier/test/support/redis-server.ts'
import { createWizard, type Wizard, type WizardOptions, type WizardStep } from '../src/index.ts'
import { createVisitor, type Visitor } from './support/visitor.ts'

const ORIGIN = 'http://site.test'

interface Room {
  readonly directory: string
  readonly setup: Setup
  readonly wizard: Wizard
  visitor(language?: string): Visitor
  /** A visitor who has shown the token. */
  inside(language?: string): Promise<Visitor>
}

async function room(options: WizardOptions = {}, given: Partial<SetupOptions> = {}): Promise<Room> {
  const directory = mkdtempSync(join(tmpdir(), 'palier-wizard-'))
  const types = [{ name: 'page', ttl: 60_000 }]
  const setup = createSetup({ directory, environment: {}, types, restart: () => Promise.resolve(), ...given })
  await setup.open()
  const wizard = createWizard(setup, { logger: false, ...options })
  onTestFinished(async () => {
    await wizard.close()
    await setup.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const visitor = (language = 'en'): Visitor =>
    createVisitor({
      origin: ORIGIN,
      language,
      async submit({ method, path, headers, body }) {
        const request = new Request(ORIGIN + path, { method, headers, ...(body !== undefined && { body }) })
        const answer = await wizard.handle(request, { mount: '/setup' })
        return { status: answer.status, headers: answer.headers, text: await answer.text() }
      },
    })
  const inside = async (language?: string): Promise<Visitor> => {
    const one = visitor(language)
    await one.open('/setup/')
    await one.press('unlock', { token: readFileSync(setup.tokenFile, 'utf8') })
    return one
  }
  return { directory, setup, wizard, visitor, inside }
}

describe('the pages of the installation', () => {
  test('open for the token alone, five tries a minute, and tell where it is', async () => {
    const { setup, visitor } = await room()
    const somebody = visitor()
    expect((await somebody.open('/setup/redis')).path).toBe('/setup/unlock')
    expect(somebody.page.words).toContain(setup.tokenFile)
    const { headers } = somebody.page
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    )
    expect(headers.get('cache-control')).toBe('no-store')
    expect(somebody.page.text).not.toMatch(/<style|\sstyle=|<script>|\son\w+=/)
    for (let i = 0; i < 5; i++) expect((await somebody.press('unlock', { token: `wrong ${i}` })).status).toBe(422)
    const right = readFileSync(setup.tokenFile, 'utf8')
    expect((await somebody.press('unlock', { token: right })).path).toBe('/setup/unlock')
    expect(readFileSync(setup.tokenFile, 'utf8')).toBe(right)
    expect(statSync(join(setup.tokenFile, '..', 'setup-session')).mode & 0o777).toBe(0o600)
  })

  test('refuse forms that another site or another visit made, and change nothing', async () => {
    const { setup, inside, visitor } = await room()
    const owner = await inside()
    const other = visitor()
    await other.open('/setup/')
    const foreign = { _token: /name="_token" value="([^"]+)"/.exec(other.page.text)?.[1] ?? '' }
    await owner.open('/setup/server')
    for (const [fields, headers] of [
      [foreign, {}],
      [{ _token: '' }, {}],
      [{}, { origin: 'http://evil.test' }],
      [{}, { origin: 'null' }],
      [{}, { 'sec-fetch-site': 'cross-site' }],
    ] as const) {
      expect((await owner.send('run', fields, headers)).status).toBe(403)
    }
    expect((await setup.state()).steps.server).toBe('open')
    // Behind a proxy that ends TLS only the scheme differs.
    expect((await owner.send('run', {}, { origin: 'https://site.test' })).status).toBe(303)
  })

  test('speak French with its spaces, remember it, and keep the theme', async () => {
    const { setup, visitor } = await room()
    const quelquun = visitor('fr-CA,fr;q=0.9')
    await quelquun.open('/setup/')
    expect(quelquun.page.text).toContain('<html lang="fr"')
    expect(quelquun.page.words).toContain('que seul le compte de l’application peut lire\u00a0:')
    await quelquun.press('unlock', { token: readFileSync(setup.tokenFile, 'utf8') })
    await quelquun.press('run')
    expect(quelquun.page.words).toContain('Votre serveur')
    expect((await setup.state()).language).toBe('fr')
    expect(quelquun.page.words).toContain('Pressé\u00a0?')
    expect(quelquun.page.text).not.toMatch(/>[^<]* [!?;:»][\s<]/)
  })

  test('find a Redis with a password on an odd port, never show the password, and take the change back in time', async () => {
    const redis = await startRedis({ password: 'hush-hush' })
    onTestFinished(() => redis.stop())
    let wall = Date.now()
    const alarms = new Set<{ readonly at: number; run(): void }>()
    const clock = {
      now: () => performance.now(),
      wall: () => wall,
      after(ms: number, run: () => void) {
        const alarm = { at: wall + ms, run }
        alarms.add(alarm)
        return () => void alarms.delete(alarm)
      },
    }
    const { directory, setup, inside } = await room({}, { clock: clock as NonNullable<SetupOptions['clock']> })
    const owner = await inside()
    await owner.press('skip')
    await owner.open('/setup/storage')
    await owner.press('run')
    await owner.press('next')
    await owner.press('add', { url: `someone:hush-hush@127.0.0.1:1` })
    expect(owner.page.text).not.toContain('hush-hush')
    await owner.open('/setup/redis')
    await owner.press('add', { url: `127.0.0.1:${redis.port}` })
    await owner.press('login', { password: 'hush-hush', candidate: `tcp:127.0.0.1:${redis.port}/0` })
    expect(
      (await setup.state()).results.redis?.candidates.find(one => one.id === `tcp:127.0.0.1:${redis.port}/0`)?.usable,
    ).toBe(true)
    await owner.open('/setup/measure')
    await owner.press('skip')
    const { results } = await setup.state()
    const { proposal, alternatives = [], chosen } = results.proposal ?? {}
    const wanted = [proposal, ...alternatives].find(one => one?.id === `tcp:127.0.0.1:${redis.port}/0`)
    if (wanted !== undefined && chosen?.id !== wanted.id) {
      await owner.press('choose', { choose: wanted.id, reason: 'it is ours' })
    }
    await owner.open('/setup/types')
    if (owner.page.text.includes('value="run"')) await owner.press('run')
    expect((await owner.press('save', { 'ttl-page': 'soon' })).status).toBe(422)
    await owner.press('save', { 'ttl-page': '2' })
    expect((await setup.state()).results.types?.types[0]?.ttl).toBe(120_000)
    expect(owner.page.path).toBe('/setup/apply')
    expect(owner.page.text).not.toContain('hush-hush')
    await owner.press('run')
    expect(owner.page.words).toMatch(/taken back in \d+ seconds/)
    expect(readFileSync(join(directory, '.env'), 'utf8')).toContain(`127.0.0.1:${redis.port}`)
    wall += 61_000
    for (const alarm of [...alarms]) if (alarm.at <= wall) alarm.run()
    await expect.poll(async () => (await setup.state()).results.apply?.phase).toBe('reverted')
    expect(() => readFileSync(join(directory, '.env'))).toThrow('ENOENT')
    expect((await owner.open('/setup/apply')).words).toContain('The settings were taken back')
  })

  test('show the steps of the host, their problems beside the fields, and are gone once finished', async () => {
    let saved: string | undefined
    const step: WizardStep = {
      id: 'shop',
      title: { en: 'Your shop', fr: 'Votre boutique' },
      lead: { en: 'Its name.', fr: 'Son nom.' },
      fields: [
        { name: 'name', kind: 'text', label: { en: 'Name', fr: 'Nom' } },
        { name: 'pin', kind: 'password', label: { en: 'PIN', fr: 'Code' } },
      ],
      load: () => Promise.resolve({ values: { name: saved ?? '' }, done: saved !== undefined }),
      save({ name = '', pin = '' }) {
        if (pin !== '1234') {
          const text = { en: 'Not this <PIN>.', fr: 'Pas ce code.' }
          return Promise.resolve({ ok: false, problems: [{ field: 'pin', text }] })
        }
        saved = name
        return Promise.resolve({ ok: true })
      },
    }
    const { setup, inside, visitor } = await room({ before: [step], proof: { site: '/' } })
    const owner = await inside()
    await owner.open('/setup/shop')
    await owner.press('save', { name: '"><b>Tea', pin: '9876' })
    expect(owner.page.status).toBe(422)
    expect(owner.page.text).toContain('Not this &lt;PIN&gt;.')
    expect(owner.page.text).toContain('value="&quot;&gt;&lt;b&gt;Tea"')
    expect(owner.page.text).not.toContain('9876')
    await owner.press('save', { pin: '1234' })
    expect(saved).toBe('"><b>Tea')
    expect(owner.page.path).not.toBe('/setup/shop')
    await owner.open('/setup/apply')
    expect(owner.page.words).toContain('First make the step')
    await setup.finish()
    for (const path of ['/setup/', '/setup/server', '/setup/unlock', '/setup/wizard.css']) {
      expect((await owner.open(path)).status).toBe(404)
      expect((await visitor().open(path)).status).toBe(404)
    }
  })

  test('measure in turns, say verdicts and reasons, write what was chosen, and prove what is in force', async () => {
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    const { inside, directory } = await room()
    const owner = await inside()
    await owner.open('/setup/redis')
    await owner.press('add', { url: `127.0.0.1:${redis.port}` })
    await owner.open('/setup/server')
    await owner.press('fast')
    expect(owner.page.path).toBe('/setup/proposal')
    await owner.open('/setup/measure')
    expect(owner.page.words).toMatch(/(faster|slower) than|no measurable difference/)
    expect(owner.page.words).toMatch(/\d of 7/)
    expect(owner.page.text).toContain('<svg')
    await owner.open('/setup/proposal')
    await owner.press('choose', { choose: 'disk', reason: 'nobody looks after a Redis here' })
    await owner.open('/setup/types')
    await owner.press('save')
    expect(owner.page.path).toBe('/setup/apply')
    expect(owner.page.words).toContain('CACHE_BACKEND=filesystem')
    await owner.press('run')
    await owner.press('keep')
    expect(readFileSync(join(directory, '.env'), 'utf8')).toContain('CACHE_BACKEND=filesystem')
    expect(owner.page.path).toBe('/setup/proof')
    await owner.press('run')
    expect(owner.page.words).toMatch(/MISS[\s\S]*HIT[\s\S]*MISS/)
    expect(owner.page.words).toContain('The cache serves')
  }, 60_000)
})
