import type { Page, Route } from 'playwright-core'
import { expect } from 'vitest'

/** A request of the page that the server has not seen yet. */
export interface HeldRequest {
  readonly body: unknown
  /** To the server; resolves when its answer is there. */
  letGo(): Promise<void>
  /** As if the network had failed. */
  fail(): Promise<void>
}

export interface Held {
  /** All that came so far, in their order. */
  readonly requests: readonly HeldRequest[]
  /** Waits until so many have come; returns them. */
  came(count: number): Promise<readonly HeldRequest[]>
  /** What comes from now on is not held. */
  end(): Promise<void>
}

const bodyOf = (route: Route): unknown => {
  try {
    return route.request().postDataJSON() as unknown
  } catch {
    // A file, or nothing.
    return undefined
  }
}

/** Holds the page's requests of one kind, so that a test sees what is shown while there is no answer. */
export async function hold(page: Page, method: string, path: RegExp): Promise<Held> {
  const requests: HeldRequest[] = []
  const isHeld = (url: URL): boolean => path.test(url.pathname)
  const take = async (route: Route): Promise<void> => {
    if (route.request().method() !== method) return route.fallback()
    requests.push({
      body: bodyOf(route),
      async letGo() {
        const answer = page.waitForResponse(response => response.request() === route.request())
        await route.continue()
        await (await answer).finished()
      },
      fail: () => route.abort('connectionfailed'),
    })
  }
  await page.route(isHeld, take)
  return {
    requests,
    async came(count) {
      await expect.poll(() => requests.length, { timeout: 10_000, interval: 20 }).toBe(count)
      return requests
    },
    end: () => page.unroute(isHeld, take),
  }
}
