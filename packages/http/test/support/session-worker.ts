import { createSessionCache, fastifySessionStore, type SessionCacheOptions } from '../../src/index.ts'

/*
 * A process with sessions, for a test that kills it: saves one session, saves another and ends it, says that all of it was
 * acknowledged, and lives on. Its argument: the options of its cache as JSON.
 */

const options = JSON.parse(process.argv[2] ?? '{}') as SessionCacheOptions
const store = fastifySessionStore({ cache: createSessionCache({ ...options, logger: false }) })
await store.set('kept', { user: 'ada', cookie: {} })
await store.set('ended', { user: 'grace', cookie: {} })
await store.destroy('ended')
process.on('disconnect', () => process.exit())
process.send?.('acknowledged')
