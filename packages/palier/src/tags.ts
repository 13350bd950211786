import type { Clock } from './clock.ts'
import type { Captured } from './flight.ts'
import { NAMESPACE } from './key.ts'
import { randomHex } from './lease.ts'
import {
  cleared,
  freshNamespace,
  matches,
  type NamespaceState,
  type Rule,
  randomStamp,
  readNamespace,
  restored,
  withRule,
} from './rules.ts'
import type { StampStore } from './stamp-store.ts'

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

/** A stamp fetched after a load began must be older than the load by this much to have been the same all along. */
const AGE_MARGIN = 100
const MOST_CELLS = 100_000
const MOST_TENDED = 2000
const TENDED_AT_ONCE = 100

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

/** A stamp that was given up, as text, and the one that took its place. */
export interface Replaced {
  readonly name: string
  /** Undefined when there was none. */
  readonly before: string | undefined
  readonly after: string
}

export type Verdict = 'alive' | 'dead' | 'unknown'

interface Judged {
  readonly stamps: Captured['stamps']
  readonly mark: number
}

export interface StampsParts {
  readonly clock: Clock
  /** Undefined: nothing is shared, and what is known here is the truth. */
  readonly store: StampStore | undefined
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
  readonly #store: StampStore | undefined
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
    this.#clock = parts.clock
    this.#store = parts.store
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

  get #shared(): boolean {
    return this.#store !== undefined
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
      // Learned during the load, by whoever asked: how old it was then is not known here.
      if (this.#shared && age === undefined && cell.since > startedAt) return undefined
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
    const answers = (await this.#store?.read(names)) ?? []
    const ages = new Map<string, number>()
    const created: string[] = []
    for (const [i, cell] of cells.entries()) {
      const found = answers[i]
      if (found === undefined) continue
      if (found.age === undefined) created.push(cell.name)
      // Invalidated while we asked: what we have is older. It stays unknown, and whoever needs it asks again.
      if (cell.version !== versions[i] || this.#isPending(cell.name)) continue
      this.#adopt(cell, found.text)
      if (found.age !== undefined) ages.set(cell.name, found.age)
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

  /** Gives each name a new stamp in this process, at once; the store still has to be told (`share`). */
  renew(names: readonly string[]): void {
    for (const name of names) {
      const cell = this.#cell(name)
      cell.version++
      this.#learn(cell, randomHex(8))
      cell.changedAt = ++this.epoch
      // The rules are numbered on: what an undo brings back knows them by their numbers.
      if (name === NAMESPACE) this.#rules = []
    }
  }

  /** Writes the present stamps of `names` to the store. Rejects if the store fails. */
  async share(names: readonly string[]): Promise<void> {
    const stamps = names.map(name => {
      const cell = this.#cell(name)
      cell.doubted = false
      return { name, text: name === NAMESPACE ? JSON.stringify(this.#state) : (cell.value ?? randomHex(8)) }
    })
    await this.#store?.write(stamps)
  }

  /** The stamp itself as it is known now. */
  currentOf(name: string): string | undefined {
    return this.#cells.get(name)?.value
  }

  /** What is known of a stamp now: the stamp itself, and of the namespace its rules too. */
  textOf(name: string): string | undefined {
    const { value } = this.#cell(name)
    return name === NAMESPACE && value !== undefined ? JSON.stringify(this.#state) : value
  }

  /** `share` that resolves with what each stamp takes the place of. Rejects if the store fails. */
  async exchange(names: readonly string[]): Promise<readonly Replaced[]> {
    return Promise.all(
      names.map(async name => {
        const cell = this.#cell(name)
        cell.doubted = false
        const after = cell.value ?? randomHex(8)
        let before: string | undefined
        const text = await this.#store?.change(name, stored => {
          before = stored
          return name === NAMESPACE ? JSON.stringify(cleared(after, stored)) : after
        })
        if (name === NAMESPACE && text !== undefined && cell.value === after) this.#seq = readNamespace(text).seq
        return { name, before, after }
      }),
    )
  }

  /**
   * Puts a stamp back, if what took its place is still there: then what it killed lives again, but for what was deleted since
   * in any other way. True if so. Rejects if the store fails.
   */
  async restore({ name, before, after }: Replaced): Promise<boolean> {
    if (before === undefined) return false
    const isNamespace = name === NAMESPACE
    const stampOf = (text: string): string => (isNamespace ? readNamespace(text).stamp : text)
    const next = (stored: string): string =>
      stampOf(stored) !== after ? stored : isNamespace ? JSON.stringify(restored(before, stored)) : before
    const now = this.#shared
      ? await this.#store?.change(name, stored => (stored === undefined ? randomStamp(name) : next(stored)))
      : next(this.textOf(name) ?? '')
    if (now === undefined || stampOf(now) !== stampOf(before)) return false
    if (this.#shared) this.forget([name])
    else if (isNamespace) this.#become(readNamespace(now))
    else {
      this.#learn(this.#cell(name), now)
      this.#cell(name).changedAt = ++this.epoch
    }
    return true
  }

  /** Takes the stamps of `names` out of the store: one that is missing is as good as a new one. Rejects if the store fails. */
  async withdraw(names: readonly string[]): Promise<void> {
    await this.#store?.withdraw(names)
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

  async #changeNamespace(change: (state: NamespaceState) => NamespaceState): Promise<void> {
    const cell = this.#cell(NAMESPACE)
    let { version } = cell
    const text = await this.#store?.change(NAMESPACE, stored => {
      ;({ version } = cell)
      // A new namespace stamp that still waits is the truth here, and goes out with this change.
      const pending = this.#isPending(NAMESPACE)
      const before = pending ? this.#state : stored === undefined ? freshNamespace() : readNamespace(stored)
      return JSON.stringify(change(before))
    })
    // Somebody changed it after us, and we heard of it first: what we wrote is no longer there.
    if (text === undefined || cell.version !== version) return
    cell.version++
    this.#become(readNamespace(text))
  }
}
