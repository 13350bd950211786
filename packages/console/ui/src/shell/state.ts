import { defineWords, type Tone } from '@palier/design'
import type { HealthAnswer, SnapshotAnswer } from '../../../src/api.ts'

export type State = HealthAnswer['state']

export const TONES: Readonly<Record<State, Exclude<Tone, 'quiet'>>> = {
  HEALTHY: 'healthy',
  WARMING: 'warming',
  DEGRADED: 'degraded',
  DOWN: 'down',
}

export const stateWords = defineWords(
  {
    HEALTHY: 'Healthy',
    WARMING: 'Warming',
    DEGRADED: 'Degraded',
    DOWN: 'Down',
    redis: 'Redis',
    filesystem: 'Disk',
    memory: 'Memory',
    custom: 'A store of the application',
    detecting: 'Looking for a backend',
    near: 'Memory of the process',
  },
  {
    HEALTHY: 'Sain',
    WARMING: 'Préchauffage',
    DEGRADED: 'Dégradé',
    DOWN: 'Hors service',
    redis: 'Redis',
    filesystem: 'Disque',
    memory: 'Mémoire',
    custom: 'Un moteur de l’application',
    detecting: 'Recherche d’un moteur',
    near: 'Mémoire du processus',
  },
)

type Named = 'redis' | 'filesystem' | 'memory' | 'custom' | 'detecting' | 'near'
const NAMED: readonly string[] = [
  'redis',
  'filesystem',
  'memory',
  'custom',
  'detecting',
  'near',
] satisfies readonly Named[]

/** A tier or a backend as people call it; the name of an application's own store stays as it is. */
export const tierName = (t: (key: Named) => string, name: string): string =>
  NAMED.includes(name) ? t(name as Named) : name

/** How the cache is: as the monitor judges it over time, or as the cache says itself. Of all processes, the worst. */
export function healthOf({ judged, health, fleet }: SnapshotAnswer): {
  readonly state: State
  readonly reason: string
  readonly since: number
  readonly affected: number
  readonly processes: number
} {
  const { state, reason, since } = judged ?? health
  const all = fleet?.health
  if (all === undefined || all.processes < 2 || all.state === state) {
    return { state, reason, since, affected: all?.affected ?? 1, processes: all?.processes ?? 1 }
  }
  // Of another process it is not told since when.
  return { state: all.state, reason: all.reason, since: 0, affected: all.affected, processes: all.processes }
}
