import { useEffect, useRef } from 'react'
import { PLACES } from './nav.ts'

const KEY = 'palier-shortcuts'

/** Single letters can be turned off: whoever speaks to the machine would press them by talking. */
export function areShortcutsOn(): boolean {
  try {
    return localStorage.getItem(KEY) !== 'off'
  } catch {
    return true
  }
}

export function setShortcutsOn(isOn: boolean): void {
  try {
    localStorage.setItem(KEY, isOn ? 'on' : 'off')
  } catch {
    // Storage may be forbidden; they stay as they are.
  }
}

/** Where letters are written, and what is open above the page. */
function isElsewhere(target: EventTarget | null): boolean {
  if (document.querySelector('dialog[open], :popover-open:not(.toasts)') !== null) return true
  const typed = 'input:not([type="checkbox"]), textarea, select, [contenteditable]'
  return target instanceof HTMLElement && target.closest(typed) !== null
}

const rows = (): readonly HTMLElement[] => [...document.querySelectorAll<HTMLElement>('main [data-row]')]

/** The row before or after the one with the focus, which gets it. What it opens is its link or button with `data-open`. */
function moveInRows(step: number): void {
  const all = rows()
  const at = all.findIndex(row => row.contains(document.activeElement))
  const next = all[at === -1 ? (step > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, at + step))]
  next?.querySelector<HTMLElement>('[data-open]')?.focus()
  next?.scrollIntoView({ block: 'nearest' })
}

function selectRow(): void {
  const row = rows().find(one => one.contains(document.activeElement))
  row?.querySelector<HTMLElement>('input[type="checkbox"]')?.click()
}

export interface Shortcuts {
  onSearch(): void
  onHelp(): void
  onRefresh(): void
  onLive(): void
  onGo(path: string): void
}

const CHAIN_MS = 1500

/**
 * Ctrl K or ⌘K searches; `?` helps; `g` and a letter go to a screen; `/` filters; `j` and `k` move in rows, `x` selects one;
 * `r` reads again, `l` is live. No key clears anything.
 */
export function useShortcuts(shortcuts: Shortcuts): void {
  const current = useRef(shortcuts)
  useEffect(() => {
    current.current = shortcuts
  })
  const chained = useRef(0)
  useEffect(() => {
    const letters: Readonly<Record<string, () => void>> = {
      '?': () => current.current.onHelp(),
      '/': () => document.querySelector<HTMLElement>('main input[type="search"]')?.focus(),
      j: () => moveInRows(1),
      k: () => moveInRows(-1),
      x: selectRow,
      r: () => current.current.onRefresh(),
      l: () => current.current.onLive(),
    }
    const pressed = (event: KeyboardEvent): void => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        current.current.onSearch()
        return
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isElsewhere(event.target) || !areShortcutsOn()) return
      const isChained = event.timeStamp - chained.current < CHAIN_MS
      chained.current = 0
      if (isChained) {
        const place = PLACES.find(one => one.letter === event.key)
        if (place !== undefined) current.current.onGo(place.path)
        return
      }
      if (event.key === 'g') chained.current = event.timeStamp
      const run = letters[event.key]
      if (run === undefined) return
      event.preventDefault()
      run()
    }
    addEventListener('keydown', pressed)
    return () => removeEventListener('keydown', pressed)
  }, [])
}
