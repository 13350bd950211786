import { type Command, type Of, WINDOW } from './commands.ts'
import { endLife, type Life } from './node.ts'
import { isSilent } from './server.ts'
import type { World } from './world.ts'

/** What breaks, and when it is well again. */
export interface Faults {
  /** Does what the command says, if it is a fault. */
  run(command: Command): void
  /** Makes everything well. */
  heal(): void
  /** Nothing had been wrong with the process, nor with the server, for a while before `instant`, nor has been since. */
  wasCalm(node: number, instant: number): boolean
  /** No server that lost something has taken over since. */
  isKept(instant: number): boolean
}

/** After a fault, how long until everything works as if there had been none. */
const RECOVERY = 5_000
/** How long calls or messages may go on being lost. */
const LOSSES = 2000

/** `died` is told of a process before it is killed. */
export function createFaults(world: World, nodes: number, died: (life: Life) => void): Faults {
  const { timeline, random, lives, checker, now } = world
  const everybody = Array.from({ length: nodes }, (_none, node) => node)
  /** Those that go on, each as what ends it. */
  const lasting = new Set<() => void>()
  const troubles = everybody.map(() => 0)
  /** When the last fault of each process ended; infinite while one goes on. */
  const troubledUntil = everybody.map(() => Number.NEGATIVE_INFINITY)
  let rewoundAt = Number.NEGATIVE_INFINITY

  /** Begins a fault that ends by itself after `ms`, or when everything is made well. */
  const begin = (concerned: readonly number[], ms: number, end: () => void): void => {
    const finish = (): void => {
      if (!lasting.delete(finish)) return
      cancel()
      end()
      for (const node of concerned) {
        troubles[node] = (troubles[node] ?? 0) - 1
        troubledUntil[node] = troubles[node] === 0 ? now() : Number.POSITIVE_INFINITY
      }
    }
    lasting.add(finish)
    for (const node of concerned) {
      troubles[node] = (troubles[node] ?? 0) + 1
      troubledUntil[node] = Number.POSITIVE_INFINITY
    }
    const cancel = timeline.after(ms, finish)
  }

  function cut({ node, wire, subscription }: Life, { what, ms }: Of<'cut'>): void {
    if (what !== 'messages') {
      wire.blocked = true
      wire.cut('the connection broke')
    }
    if (what !== 'commands') {
      subscription.blocked = true
      subscription.cut('the connection broke')
    }
    begin([node], ms, () => {
      wire.blocked = subscription.blocked = false
      wire.wake()
      subscription.wake()
    })
  }

  function hold({ node, wire, subscription }: Life, { what, ms, breaks }: Of<'hold'>): void {
    const messages = what === 'all' || what === 'messages'
    if (what !== 'messages') wire.hold(what !== 'answers', true)
    if (messages) subscription.hold()
    begin([node], ms, () => {
      if (breaks && what !== 'messages') wire.cut('the connection was dead')
      if (breaks && messages) subscription.cut('the connection was dead')
      wire.release()
      subscription.release()
    })
  }

  function failOver({ lag, down, silent }: Of<'failover'>): void {
    const old = world.primary()
    if (isSilent(old)) return
    // More than the window is everything: a server that comes back empty.
    const instant = lag > WINDOW ? 0 : now() - lag
    old.silentSince = now()
    if (!silent) {
      for (const life of lives) {
        life?.wire.cut('the server is gone')
        life?.subscription.cut('the server is gone')
      }
    }
    begin(everybody, down, () => {
      world.promote(instant, 'instead')
      rewoundAt = now()
      checker.rewound(instant)
      for (const life of lives) {
        // The first thing sent on an old connection comes back as an error.
        timeline.after(silent ? random.below(2000) : 0, () => {
          life?.wire.stale(old)
          life?.subscription.stale(old)
        })
        life?.wire.wake()
        life?.subscription.wake()
      }
    })
  }

  /** Two servers take writes for a while: what the old one is told is lost in the end, as if it had never been. */
  function split({ lag, ms }: Of<'split'>): void {
    const old = world.primary()
    if (isSilent(old)) return
    const instant = now() - lag
    const lose = (): void => {
      rewoundAt = now()
      checker.rewound(instant)
    }
    world.promote(instant, 'fork')
    lose()
    const leave = lives.flatMap(life => (life === undefined ? [] : [life.wire, life.subscription]))
    for (const way of leave) timeline.after(random.below(ms), () => way.stale(old))
    begin(everybody, ms, () => {
      for (const life of lives) {
        life?.wire.stale(old)
        life?.subscription.stale(old)
      }
      old.silentSince = now()
      lose()
    })
  }

  function crash({ node, down }: Of<'crash'>): void {
    const life = lives[node]
    if (life === undefined) return
    died(life)
    endLife(life)
    world.hostOf(node)?.journals.bury(life.name)
    lives[node] = undefined
    begin([node], down, () => world.start(node))
  }

  function refuse({ what, ms }: Of<'refuse'>): void {
    const server = world.primary()
    server.refuses = what
    begin(everybody, ms, () => {
      server.refuses = 'nothing'
    })
  }

  /** Faults of one process's ways. */
  function disturb(life: Life, command: Of<'cut' | 'hold' | 'slow' | 'lose' | 'drop'>): void {
    const { node, wire, subscription } = life
    switch (command.do) {
      case 'cut':
        return cut(life, command)
      case 'hold':
        return hold(life, command)
      case 'slow':
        wire.slow = subscription.slow = command.by
        return begin([node], command.ms, () => {
          wire.slow = subscription.slow = 0
        })
      case 'lose':
        wire.lose(command.how, command.calls)
        return begin([node], LOSSES, () => wire.lose(command.how, 0))
      case 'drop':
        subscription.drop(command.messages)
        return begin([node], LOSSES, () => subscription.drop(0))
    }
  }

  return {
    run(command) {
      switch (command.do) {
        case 'failover':
          return failOver(command)
        case 'split':
          return split(command)
        case 'crash':
          return crash(command)
        case 'refuse':
          return refuse(command)
        case 'jump':
          return lives[command.node]?.process.jump(command.by)
        case 'cut':
        case 'hold':
        case 'slow':
        case 'lose':
        case 'drop': {
          const life = lives[command.node]
          return life === undefined ? undefined : disturb(life, command)
        }
        default:
          return undefined
      }
    },
    heal() {
      for (const finish of [...lasting]) finish()
    },
    wasCalm: (node, instant) => (troubledUntil[node] ?? 0) + RECOVERY <= instant,
    isKept: instant => rewoundAt < instant,
  }
}
