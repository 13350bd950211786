/** What the service worker is told by the pages. */
export type WorkerMessage = { readonly kind: 'forget' }

/** Registers the worker that keeps the shell and the last figures for times without a network. */
export async function keepOffline(): Promise<void> {
  if (!('serviceWorker' in navigator) || !import.meta.env.PROD) return
  try {
    await navigator.serviceWorker.register('/app/worker.js', { scope: '/app/' })
  } catch (error) {
    // Private windows and pages without https have none: everything works but offline.
    console.info('no offline copy:', error)
  }
}

/** Forgets the data of whoever was logged in; the shell, which is everybody's, stays. Resolves when it is gone. */
export async function forgetOffline(): Promise<void> {
  if (!('caches' in globalThis)) return
  const names = await caches.keys()
  await Promise.all(names.filter(name => name.startsWith('data')).map(name => caches.delete(name)))
  const message: WorkerMessage = { kind: 'forget' }
  navigator.serviceWorker?.controller?.postMessage(message)
}
