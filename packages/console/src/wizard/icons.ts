import { type Html, html } from './html.ts'

/** Outlines on a grid of 24. */
const PATHS = {
  alert: 'M12 4 2.8 20h18.4L12 4zM12 10v4.5M12 17.2v.1',
  arrowRight: 'M5 12h14M13 6l6 6-6 6',
  bolt: 'M13 3 5 13.5h6L11 21l8-10.5h-6z',
  check: 'M5 12.5 10 17.5 19 7',
  close: 'M6 6l12 12M18 6 6 18',
  database: 'M4 6c0-3 16-3 16 0s-16 3-16 0v12c0 3 16 3 16 0V6M4 12c0 3 16 3 16 0',
  disk: 'M4 13h16v6H4zM6 5h12l2 8H4zM16.5 16v.1',
  download: 'M12 4v11M7 10.5l5 5 5-5M4 20h16',
  globe:
    'M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM3.5 12h17M12 3.5c4.5 4.5 4.5 12.5 0 17M12 3.5c-4.5 4.5-4.5 12.5 0 17',
  info: 'M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 11v5M12 8v.1',
  layers: 'M12 3.5 21 8.5l-9 5-9-5zM3 13l9 5 9-5',
  lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  minus: 'M5 12h14',
  question:
    'M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM9.5 9.5a2.5 2.5 0 1 1 3.6 2.3c-.8.4-1.1.9-1.1 1.7M12 16.3v.1',
  refresh: 'M20 11a8 8 0 0 0-14.5-4L3 9.5M3 4.5v5h5M4 13a8 8 0 0 0 14.5 4L21 14.5M21 19.5v-5h-5',
  server: 'M4 4h16v7H4zM4 13h16v7H4zM7.5 7.5v.1M7.5 16.5v.1',
} as const

export type IconName = keyof typeof PATHS

/** Never the only bearer of a meaning: a text stands beside it. */
export function icon(name: IconName): Html {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="${PATHS[name]}"/></svg>`
}

/** The sign of the project. */
export const MARK: Html = {
  markup:
    '<svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="7" fill="currentColor"/><path class="bars-mark" d="M7 22h18M7 16h13M7 10h8"/></svg>',
}
