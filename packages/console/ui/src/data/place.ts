import { useCallback, useSyncExternalStore } from 'react'
import { useLocation, useSearch } from 'wouter'
import { type Range, rangeOf } from './ranges.ts'

/*
 * Where one is stands behind the #, so that the application that mounts the console needs no rule for it:
 * `#/types?range=7d`. The path chooses the screen; what follows `?` is its range, filters and what is open.
 */

const listen = (changed: () => void): (() => void) => {
  addEventListener('hashchange', changed)
  return () => removeEventListener('hashchange', changed)
}
const read = (): readonly string[] => location.hash.replace(/^#?\/?/, '/').split('?')
const readPath = (): string => read()[0] ?? '/'
const readSearch = (): string => read()[1] ?? ''

interface Move {
  readonly replace?: boolean
}

function go(to: string, { replace = false }: Move = {}): void {
  const before = location.href
  const hash = `#${to.startsWith('/') ? '' : '/'}${to}`
  if (replace) history.replaceState(history.state, '', hash)
  else history.pushState(null, '', hash)
  dispatchEvent(new HashChangeEvent('hashchange', { oldURL: before, newURL: location.href }))
}

/** For the router: where one is, and how to go elsewhere. */
export function useHashPath(): [string, typeof go] {
  return [useSyncExternalStore(listen, readPath), go]
}
useHashPath.hrefs = (href: string): string => `#${href}`

export function useHashSearch(): string {
  return useSyncExternalStore(listen, readSearch)
}

/** The hash of a place with these parameters; those that are empty are left out. */
export function hashOf(path: string, params: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(params).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, value]],
  )
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`
}

/** One parameter of the place; setting it to the empty text takes it out. A filter replaces, what opens something pushes. */
export function useParam(name: string): [value: string, set: (value: string, move?: Move) => void] {
  const search = useSearch()
  const [path, navigate] = useLocation()
  const value = new URLSearchParams(search).get(name) ?? ''
  const set = useCallback(
    (next: string, move: Move = { replace: true }) => {
      const params = Object.fromEntries(new URLSearchParams(readSearch()))
      navigate(hashOf(path, { ...params, [name]: next }), move)
    },
    [name, path, navigate],
  )
  return [value, set]
}

/** The stretch of time that figures are shown for: part of the address, and taken along from screen to screen. */
export function useRange(): [range: Range, set: (range: Range) => void] {
  const [value, set] = useParam('range')
  return [rangeOf(value), useCallback((range: Range) => set(range === '24h' ? '' : range), [set])]
}

/** The address of a screen, with the range taken along. */
export function useHrefOf(): (path: string, params?: Readonly<Record<string, string | undefined>>) => string {
  const [range] = useParam('range')
  return (path, params = {}) => hashOf(path, { range, ...params })
}
