export type { Authorize, Granted, Role } from './access.ts'
export type { AuditEntry, AuditPage } from './audit.ts'
export type { ConsoleLimits } from './brakes.ts'
export { type Arrival, type CacheConsole, createConsole } from './console.ts'
export { type ExpressHandler, expressConsole, type ExpressRequest, type ExpressResponse } from './express.ts'
export { fastifyConsole, type FastifyConsolePlugin, type FastifyInstanceLike } from './fastify.ts'
export { nodeConsole, type NodeListener, type NodeMount } from './node.ts'
export type { ConsoleOptions } from './options.ts'
export type { ConsoleClock, ConsoleMonitor, ManagedCache, WarmUps } from './room.ts'
export type {
  FieldValues,
  LoadedStep,
  SavedStep,
  Text,
  WizardField,
  WizardOptions,
  WizardSetup,
  WizardStep,
} from './wizard/options.ts'
export { createWizard, type Wizard } from './wizard/wizard.ts'
