import type { Screen } from './screens.ts'

/** The console of the cache as the application mounts it. */
export function consoleScreens(): readonly Screen[] {
  const places = ['overview', 'backend', 'types', 'keys', 'clear', 'tests', 'alerts', 'activity'] as const
  return places.map(place => ({ name: `console-${place}`, path: place === 'overview' ? '/#/' : `/#/${place}` }))
}
