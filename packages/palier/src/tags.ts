import { type Clock, pause } from './clock.ts'
import { PalierError } from './errors.ts'
import type { Captured } from './flight.ts'
import { NAMESPACE, stampKey } from './key.ts'
import { newToken, randomHex } from './lease.ts'
import type { Link } from './link.ts'
import { decodeRecord, encodeRecord, recordHead } from './record.ts'
import { freshNamespace, matches, type NamespaceState, type Rule, readNamespace, withRule } from './rules.ts'
import type { SharedStore, StoredRecord } from './store.ts'

/*
 * Stamps.
 *
 * A tag, a type and the namespace each have a stamp: 64 random bits, made at first use. An entry carries the stamps
 * of its groups as they were when its load began, and is alive only while all of them are still the same. To delete a
 * group is to give it a new stamp: one write, whatever the number of entries. A stamp that was lost is made anew and
 * equals no old one, so nothing ever comes back.
 *
 * A pattern cannot be named by an entry, so it is a rule, kept with the namespace's stamp and numbered. An entry
 * carries the number of the newest rule at its load (`mark`); any newer rule that matches its key kills it. A rule goes
 * after a sweep that began when no load from before the rule could commit any more.
 *
 * This process keeps the stamps it has seen. They are right as long as the bus is: a message makes it forget a stamp
 * and ask the store again, never believe the message, because messages of two writers may arrive in either order.
 * `epoch` counts every change, so that an entry checked once needs one comparison until something changes.
 */

/** Far longer than an entry usually lives; renewed when half has passed. */
const STAMP_TTL = 30 * 86_400_000
/** A stamp fetched after a load began must be older than the load by this much to have been the same all along. */
const AGE_MARGIN = 100
const MOST_CELLS = 100_000
const MOST_TENDED = 2000
const TENDED_AT_ONCE = 100
const CREATE_LEASE = 1000
const CREATE_TRIES = 100
/** So many tries are made without a rest: whoever was in between is usually done. */
const AT_ONCE = 8

interface Cell {
  readonly name: string
  value: string | undefined
  /** Monotonic time of when the value became known here. */
  since: number
  /** Epoch of its last invalidation as seen here. */
  changedAt: number
  version: number
  /** Somebody else changed it while its new value here was on its way: only the store knows which came last. */
  doubted: boolean
}

export type Verdict = 'alive' | 'dead' | 'unknown'

interface Judged {
  readonly stamps: Captured['stamps']
  readonly mark: number
}

export interface StampsParts {
  readonly namespace: string
  readonly clock: Clock
  /** Undefined: nothing is shared, and what is known here is the truth. */
  readonly link: Link | undefined
  /** The new value of this stamp waits in the outbox: what the store says does not count. */
  isPending(name: string): boolean
  /** Called with the names of stamps made anew because the store had none. */
  onCreated(names: readonly string[]): void
  /** Where its epochs begin: those of two `Stamps` in one cache must never be equal. */
  readonly firstEpoch: number
}

export class Stamps {
  epoch: number
  readonly #clock: Clock
  readonly #link: Link | undefined
  readonly #namespace: string
  readonly #isPending: (name: string) => boolean
  readonly #cells = new Map<string, Cell>()
  readonly #captures = new WeakMap<readonly string[], { readonly epoch: number; readonly captured: Captured }>()
  readonly #asking = new Map<string, Promise<number | undefined>>()
  #seq = 0
  #rules: readonly Rule[] = []
  /** Patterns on their way to the store: until they have a number they kill whatever they match. */
  readonly #pending = new Map<string, Omit<Rule, 'n'>>()
  /** Epoch when last something was forgotten that cannot be told name by name. */
  #blurredAt = 0
  readonly #onCreated: (names: readonly string[]) => void

  constructor(parts: StampsParts) {
    this.#namespace = parts.namespace
    this.#clock = parts.clock
    this.#link = parts.link
    this.#isPending = name => parts.isPending(name)
    this.#onCreated = names => parts.onCreated(names)
    this.epoch = parts.firstEpoch
  }

  #cell(name: string): Cell {
    let cell = this.#cells.get(name)
    if (cell === undefined) {
      if (this.#cells.size >= MOST_CELLS) this.#dropOldest()
      cell = { name, value: undefined, since: 0, changedAt: 0, version: 0, doubted: false }
      this.#cells.set(name, cell)
    }
    return cell
  }

  #dropOldest(): void {
    for (const cell of this.#cells.values()) {
      if (!cell.name.startsWith('g:') || this.#isPending(cell.name)) continue
      this.#cells.delete(cell.name)
      this.#blurredAt = ++this.epoch
      return
    }
  }

  /** To learn from the store: only while it may be read. */
  #call<T>(operation: (store: SharedStore) => Promise<T>): Promise<T> {
    return this.#link === undefined ? NOT_SHARED() : this.#link.call(operation)
  }

  /** To tell the store: also before it may be read again. */
  #reach<T>(operation: (store: SharedStore) => Promise<T>): Promise<T> {
    return this.#link === undefined ? NOT_SHARED() : this.#link.reach(operation)
  }

  get #shared(): boolean {
    return this.#link !== undefined
  }

  /**
   * The stamps of `names` as they are now; undefined when the store must be asked first (`know`). The same list of names
   * gets the same object until something changes: entries of a type share it.
   */
  capture(names: readonly string[]): Captured | undefined {
    const last = this.#captures.get(names)
    if (last !== undefined && last.epoch === this.epoch) return last.captured
    const captured = this.#captureNow(names)
    if (captured !== undefined) this.#captures.set(names, { epoch: this.epoch, captured })
    return captured
  }

  #captureNow(names: readonly string[]): Captured | undefined {
    const stamps = []
    for (const name of names) {
      const cell = this.#cell(name)
      if (cell.value === undefined) {
        if (this.#shared) return undefined
        this.#learn(cell, randomHex(8))
      }
      stamps.push({ name, value: cell.value ?? '' })
    }
    return { stamps, mark: this.#seq }
  }

  /**
   * The stamps of tags that only the value named, for a load that began at `startedAt` in `epoch`; undefined when one
   * of them may have changed since: then the value must not be stored. A stamp first seen after the load began is
   * judged by its age on the store's own clock.
   */
  async captureLate(names: readonly string[], startedAt: number, epoch: number): Promise<Captured | undefined> {
    const unknown = names.filter(name => this.#cells.get(name)?.value === undefined)
    const young = unknown.length > 0 && this.#shared ? await this.#fetch(unknown) : new Map<string, number>()
    if (this.#blurredAt > epoch) return undefined
    for (const name of names) {
      const cell = this.#cell(name)
      if (cell.changedAt > epoch) return undefined
      const age = young.get(name)
      if (age !== undefined && age < this.#clock.now() - startedAt + AGE_MARGIN) return undefined
    }
    return this.capture(names)
  }

  /** True when none of the names changed after `epoch`, as far as this process heard. */
  unchangedSince(names: readonly string[], epoch: number): boolean {
    return this.#blurredAt <= epoch && names.every(name => (this.#cells.get(name)?.changedAt ?? 0) <= epoch)
  }

  /**
   * Reads the stamps this process holds, the groups of everything first. A store that evicts what is not read must not
   * take them for idle because they are kept here; and one that changed without a message is found out.
   */
  async tend(): Promise<void> {
    const known = [...this.#cells.values()].filter(cell => cell.value !== undefined)
    const groups = known.filter(cell => !cell.name.startsWith('g:'))
    const tags = known.filter(cell => cell.name.startsWith('g:')).slice(-MOST_TENDED)
    const names = [...groups, ...tags].map(cell => cell.name)
    for (let from = 0; from < names.length; from += TENDED_AT_ONCE) {
      await this.refresh(names.slice(from, from + TENDED_AT_ONCE))
    }
  }

  /** Asks the store for all names, known or not: for when no bus vouches for what is known. Rejects if the store fails. */
  async refresh(names: readonly string[]): Promise<void> {
    if (this.#shared) await this.#fetch(names)
  }

  /** Asks the store for every name not known here. Rejects if the store fails. */
  async know(names: readonly string[]): Promise<void> {
    if (!this.#shared) return
    const unknown = names.filter(name => this.#cell(name).value === undefined)
    if (unknown.length > 0) await this.#fetch(unknown)
  }

  judge(entry: Judged, type: string, key: string): Verdict {
    // Patterns first: what a rule has killed must never pass for unknown, or a sweep would let it outlive the rule.
    for (const rule of this.#rules) if (rule.n > entry.mark && matches(rule, type, key)) return 'dead'
    for (const rule of this.#pending.values()) if (matches(rule, type, key)) return 'dead'
    for (const stamp of entry.stamps) {
      const value = this.#cells.get(stamp.name)?.value
      if (value === undefined) return this.#shared ? 'unknown' : 'dead'
      if (value !== stamp.value) return 'dead'
    }
    return 'alive'
  }

  #learn(cell: Cell, value: string): void {
    cell.value = value
    cell.since = this.#clock.now()
  }

  /** Asks for each name once, however many want it. Returns the age by the store's clock of each stamp that was there. */
  async #fetch(names: readonly string[]): Promise<Map<string, number>> {
    const unasked = names.filter(name => !this.#asking.has(name))
    if (unasked.length > 0) {
      const answer = this.#ask(unasked)
      for (const name of unasked) {
        const one = answer.then(ages => ages.get(name)).finally(() => this.#asking.delete(name))
        one.catch(() => undefined)
        this.#asking.set(name, one)
      }
    }
    const answers = await Promise.all(names.map(async name => this.#asking.get(name)))
    const ages = new Map<string, number>()
    names.forEach((name, i) => {
      const age = answers[i]
      if (age !== undefined) ages.set(name, age)
    })
    return ages
  }

  async #ask(names: readonly string[]): Promise<Map<string, number>> {
    const cells = names.map(name => this.#cell(name))
    const versions = cells.map(cell => cell.version)
    const keys = names.map(name => stampKey(this.#namespace, name))
    const records = await this.#call(store => store.getMany(keys))
    const ages = new Map<string, number>()
    const created: string[] = []
    const answers = await Promise.all(
      cells.map(async (cell, i) => {
        const stored = readStamp(records[i], keys[i] ?? '')
        return stored === undefined ? this.#create(cell.name) : { ...stored, made: false }
      }),
    )
    for (const [i, cell] of cells.entries()) {
      const found = answers[i]
      if (found === undefined) continue
      if (found.made) created.push(cell.name)
      // Invalidated while we asked: what we have is older. It stays unknown, and whoever needs it asks again.
      if (cell.version !== versions[i] || this.#isPending(cell.name)) continue
      this.#adopt(cell, found.text)
      if (!found.made) {
        ages.set(cell.name, STAMP_TTL - found.remaining)
        if (found.remaining < STAMP_TTL / 2) this.#prolong(cell.name, records[i])
      }
    }
    if (created.length > 0) this.#onCreated(created)
    return ages
  }

  #adopt(cell: Cell, text: string): void {
    const state = cell.name === NAMESPACE ? readNamespace(text) : undefined
    const value = state?.stamp ?? text
    // Known, and another now: an invalidation that no message told of.
    if (cell.value !== undefined && cell.value !== value) {
      cell.version++
      cell.changedAt = ++this.epoch
    }
    if (state === undefined) this.#learn(cell, value)
    else this.#become(state)
  }

  /** Makes a stamp nobody has made: the lease decides between several who try. */
  async #create(name: string): Promise<{ text: string; made: boolean; remaining: number }> {
    const key = stampKey(this.#namespace, name)
    const token = newToken()
    for (let attempt = 0; attempt < CREATE_TRIES; attempt++) {
      const { record, granted } = await this.#call(store => store.claim(key, { token, ttl: CREATE_LEASE }))
      const found = readStamp(record, key)
      if (found !== undefined) return { ...found, made: false }
      if (granted) {
        const text = name === NAMESPACE ? JSON.stringify(freshNamespace()) : randomHex(8)
        const done = await this.#call(store => store.commit(key, token, this.#record(key, text), STAMP_TTL))
        if (done) return { text, made: true, remaining: STAMP_TTL }
      } else if (record !== undefined) {
        // Damaged: take its place.
        await this.#call(store => store.delete([key]))
      } else if (attempt >= AT_ONCE) await pause(this.#clock, 10)
    }
    throw new PalierError('PALIER_STORE_FAILED', `the stamp "${name}" could not be made: its lease is never free`)
  }

  #record(key: string, text: string): Uint8Array {
    const payload = Buffer.from(text)
    const head = { key, createdAt: this.#clock.wall(), ttl: STAMP_TTL, grace: 0, cost: 0, mark: 0, form: 0 }
    return encodeRecord({ ...head, size: payload.length, stamps: [] }, payload)
  }

  /** Writes the same stamp again, unless it changed meanwhile; a failure only means that somebody tries later. */
  #prolong(name: string, record: StoredRecord | undefined): void {
    const key = stampKey(this.#namespace, name)
    const text = readStamp(record, key)?.text
    if (record === undefined || text === undefined) return
    const token = newToken()
    const claim = { token, ttl: CREATE_LEASE, seen: recordHead(record.bytes) }
    this.#call(store => store.claim(key, claim))
      .then(({ granted }) =>
        granted ? this.#call(store => store.commit(key, token, this.#record(key, text), STAMP_TTL)) : false,
      )
      .catch(() => undefined)
  }

  /** Gives each name a new stamp in this process, at once; the store still has to be told (`share`). */
  renew(names: readonly string[]): void {
    for (const name of names) {
      const cell = this.#cell(name)
      cell.version++
      this.#learn(cell, randomHex(8))
      cell.changedAt = ++this.epoch
      if (name === NAMESPACE) {
        this.#seq = 0
        this.#rules = []
      }
    }
  }

  /** Writes the present stamps of `names` to the store. Rejects if the store fails. */
  async share(names: readonly string[]): Promise<void> {
    await Promise.all(
      names.map(name => {
        const key = stampKey(this.#namespace, name)
        const cell = this.#cell(name)
        cell.doubted = false
        const text = name === NAMESPACE ? JSON.stringify(this.#state) : (cell.value ?? randomHex(8))
        return this.#reach(store => store.set(key, this.#record(key, text), STAMP_TTL))
      }),
    )
  }

  /** Takes the stamps of `names` out of the store: one that is missing is as good as a new one. Rejects if the store fails. */
  async withdraw(names: readonly string[]): Promise<void> {
    const keys = names.map(name => stampKey(this.#namespace, name))
    await this.#reach(store => store.delete(keys))
    for (const name of names) this.#cell(name).doubted = true
  }

  /** These wait no more: what somebody else said meanwhile counts again. */
  settle(names: readonly string[]): void {
    const doubted = names.filter(name => this.#cell(name).doubted)
    for (const name of doubted) this.#cell(name).doubted = false
    this.forget(doubted)
  }

  /** Somebody changed these: ask the store before believing them again. */
  forget(names: readonly string[]): void {
    for (const name of names) {
      const cell = this.#cell(name)
      cell.version++
      cell.changedAt = ++this.epoch
      this.#unlearn(cell)
    }
  }

  #unlearn(cell: Cell): void {
    if (this.#isPending(cell.name)) cell.doubted = true
    else cell.value = undefined
  }

  /** Somebody made these because the store had lost them: only who knows another value must ask again. */
  forgetKnown(names: readonly string[]): void {
    this.forget(names.filter(name => this.#cells.get(name)?.value !== undefined))
  }

  /** Messages may have been missed: nothing is known any more. */
  forgetAll(): void {
    for (const cell of this.#cells.values()) {
      cell.version++
      this.#unlearn(cell)
    }
    this.#blurredAt = ++this.epoch
  }

  /** A pattern kills from now on in this process; until `settleRule`, whatever its age. */
  pendRule(id: string, rule: Omit<Rule, 'n'>): void {
    this.epoch++
    if (this.#shared) this.#pending.set(id, rule)
    else this.#become(withRule(this.#state, rule))
  }

  /** The rule has a number with the store, or was overtaken by something wider. */
  settleRule(id: string): void {
    if (this.#pending.delete(id)) this.epoch++
  }

  /** Writes a rule to the store. Resolves with its number; rejects if the store fails. */
  async shareRule(rule: Omit<Rule, 'n'>): Promise<number> {
    let number = this.#seq
    if (!this.#shared) return number
    await this.#changeNamespace(state => {
      number = state.seq + 1
      return withRule(state, rule)
    })
    return number
  }

  /** Everything the rule could kill is gone, and no load from before it can commit any more. */
  async dropRule(number: number): Promise<void> {
    const without = (state: NamespaceState): NamespaceState => ({
      ...state,
      rules: state.rules.filter(rule => rule.n !== number),
    })
    if (this.#shared) await this.#changeNamespace(without)
    else this.#become(without(this.#state))
  }

  get #state(): NamespaceState {
    return { stamp: this.#cell(NAMESPACE).value ?? randomHex(8), seq: this.#seq, rules: this.#rules }
  }

  #become(state: NamespaceState): void {
    this.#learn(this.#cell(NAMESPACE), state.stamp)
    this.#seq = state.seq
    this.#rules = state.rules
    this.epoch++
  }

  /** Compare and set on the namespace's record: read with a stolen lease, commit only if nobody stole it back. */
  async #changeNamespace(change: (state: NamespaceState) => NamespaceState): Promise<void> {
    const key = stampKey(this.#namespace, NAMESPACE)
    for (let attempt = 0; attempt < CREATE_TRIES; attempt++) {
      const token = newToken()
      const { record } = await this.#reach(store => store.claim(key, { token, ttl: CREATE_LEASE, steal: true }))
      const text = readStamp(record, key)?.text
      // A new namespace stamp that still waits is the truth here, and goes out with this change.
      const pinned = this.#isPending(NAMESPACE)
      const stored = text === undefined ? freshNamespace() : readNamespace(text)
      const before = pinned ? this.#state : stored
      const after = JSON.stringify(change(before))
      if (await this.#reach(store => store.commit(key, token, this.#record(key, after), STAMP_TTL))) {
        const cell = this.#cell(NAMESPACE)
        cell.version++
        this.#become(readNamespace(after))
        return
      }
      if (attempt >= AT_ONCE) await pause(this.#clock, 2)
    }
    throw new PalierError(
      'PALIER_STORE_FAILED',
      'the namespace record could not be changed: others change it without end',
    )
  }
}

const NOT_SHARED = (): Promise<never> =>
  Promise.reject(new PalierError('PALIER_STORE_FAILED', 'nothing is shared, so there is no store to ask'))

function readStamp(record: StoredRecord | undefined, key: string): { text: string; remaining: number } | undefined {
  const decoded = record === undefined ? undefined : decodeRecord(record.bytes)
  if (record === undefined || decoded === undefined || decoded.key !== key) return undefined
  return { text: Buffer.from(decoded.payload).toString('utf8'), remaining: record.remaining }
}
