/*
 * What a browser adds to pages that work without it: bars move instead of pages reloading, seconds count down, a choice
 * says where it is copied. Nothing here decides anything.
 */

const POLL_MS = 600

interface Progress {
  readonly done: boolean
  readonly share?: number
  readonly text?: string
  readonly left?: string
}

/** Read by the server: pages that wait then reload seldom. */
function saySo(): void {
  const path = location.pathname.replace(/[^/]*$/, '').replace(/(.)\/$/, '$1')
  document.cookie = `palier-script=1; Path=${path}; SameSite=Strict`
}

function put(place: Element, name: string, text: string | undefined): void {
  const element = place.querySelector(`[data-run-${name}]`)
  if (element !== null && text !== undefined && element.textContent !== text) element.textContent = text
}

async function follow(card: Element): Promise<void> {
  const bar = card.querySelector('progress')
  for (;;) {
    await new Promise(resolve => setTimeout(resolve, POLL_MS))
    if (document.hidden) continue
    const response = await fetch('./progress', { headers: { accept: 'application/json' } })
    if (!response.ok) break
    const progress = (await response.json()) as Progress
    if (progress.done) break
    if (bar !== null && progress.share !== undefined) bar.value = progress.share
    put(card, 'text', progress.text)
    put(card, 'left', progress.left)
  }
  location.replace(location.href)
}

/** Counts on the server's clock, which is the one that takes the settings back. */
function countDown(element: HTMLElement): void {
  const { until, now, words = '' } = element.dataset
  const ahead = Number(now) - Date.now()
  const tick = (): void => {
    const seconds = Math.max(0, Math.ceil((Number(until) - Date.now() - ahead) / 1000))
    element.textContent = words.replace('#', String(seconds))
    if (seconds > 0) setTimeout(tick, 500)
    else setTimeout(() => location.replace(location.href), 1500)
  }
  tick()
}

saySo()
const card = document.querySelector('[data-run]')
// A reload asks again: nothing is lost when a poll fails.
if (card !== null) follow(card).catch(() => undefined)
for (const element of document.querySelectorAll<HTMLElement>('.countdown')) countDown(element)
