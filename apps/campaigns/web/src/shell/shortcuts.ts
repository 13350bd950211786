import { useNavigate } from '@tanstack/react-router'
import { useEffect, useRef } from 'react'
import { useMay } from '../session/session.ts'
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
export function isElsewhere(target: EventTarget | null): boolean {
  if (document.querySelector('dialog[open], :popover-open:not(.toasts)') !== null) return true
  return target instanceof HTMLElement && target.closest('input, textarea, select, [contenteditable]') !== null
}

const CHAIN_MS = 1500

/** Ctrl K or ⌘K searches; `?` helps; `g` and a letter go to a screen; `/` filters. No key deletes anything. */
export function useShortcuts({
  onSearch,
  onHelp,
}: {
  readonly onSearch: () => void
  readonly onHelp: () => void
}): void {
  const navigate = useNavigate()
  const may = useMay()
  const chained = useRef(0)
  useEffect(() => {
    const places = PLACES.flatMap(group => group.places).filter(place => may(place.permission))
    const pressed = (event: KeyboardEvent): void => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        onSearch()
        return
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isElsewhere(event.target) || !areShortcutsOn()) return
      if (event.timeStamp - chained.current < CHAIN_MS) {
        chained.current = 0
        const place = places.find(one => one.letter === event.key)
        if (place?.isOutside) location.assign(place.to)
        else if (place !== undefined) void navigate({ to: place.to })
        return
      }
      if (event.key === 'g') chained.current = event.timeStamp
      else if (event.key === '?') onHelp()
      else if (event.key === '/') {
        event.preventDefault()
        document.querySelector<HTMLElement>('main input[type="search"]')?.focus()
      }
    }
    addEventListener('keydown', pressed)
    return () => removeEventListener('keydown', pressed)
  }, [navigate, may, onSearch, onHelp])
}
