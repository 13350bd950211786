export { advise, type AdviseOptions } from './advice/advise.ts'
export { diskBudgets } from './advice/disk.ts'
export type { Finding } from './advice/finding.ts'
export type { Bus, BusListener } from './bus.ts'
export type { Cache, Status, TierStatus, TypedCache } from './cache.ts'
export type { Cached, CachedOptions } from './cached.ts'
export { type Clock, systemClock } from './clock.ts'
export type { CountedBy, Counter, CounterOptions, Uncounted } from './counter.ts'
export { createCache } from './create.ts'
export type { Backend, TraceStep } from './detect.ts'
export type { Document, Documents, Revision } from './documents.ts'
export { type Duration, type DurationBounds, toMilliseconds } from './duration.ts'
export type { Setting } from './environment.ts'
export { badOption, type ErrorCode, PalierError } from './errors.ts'
export type { CacheEvents, EventName, HealthState, Listener, MissReason } from './events.ts'
export type { Counted, Decision, Limits, Locks, Penalty, Rate } from './guard.ts'
export { checkFields, type OnOutage } from './guard-room.ts'
export type { DecisionSource, Limited, Limiter, LimiterOptions } from './limiter.ts'
export type { LinkState } from './link.ts'
export type { Factory, FactoryContext } from './load.ts'
export type { Lock, LockOptions } from './lock.ts'
export type { Receipt } from './invalidate.ts'
export type { Alert, AlertRule } from './monitor/alerts.ts'
export {
  type Counts,
  type Gauges,
  quantile,
  type Reads,
  type Sample,
  type TierCounts,
  type Timing,
  type TypeCounts,
} from './monitor/counts.ts'
export type { Delivered, Webhook } from './monitor/deliver.ts'
export type { Metric, MetricPoint, MetricSource } from './monitor/extra.ts'
export type { FleetCounts, FleetProcess, ProcessReport } from './monitor/fleet.ts'
export type { Budget, Judgement } from './monitor/health.ts'
export type { HistoryBucket, HistoryKept, HistoryRange, HistoryView } from './monitor/history.ts'
export {
  type AlertsView,
  createMonitor,
  type FleetView,
  type HealthView,
  type MetricScope,
  type Monitor,
  type MonitorSnapshot,
  type RecentView,
} from './monitor/monitor.ts'
export type { OpenTelemetryCallback, OpenTelemetryMeter } from './monitor/opentelemetry.ts'
export type { AlertOptions, MonitorOptions } from './monitor/settings.ts'
export type { TimelineEvent } from './monitor/timeline.ts'
export type {
  Cleared,
  ClearTarget,
  ExplainedStamp,
  ExplainedTier,
  Explanation,
  KeyName,
  KeyPage,
  KeyQuery,
  ListedKey,
  Operator,
  PolicyChange,
  PolicyView,
  Preview,
  Undone,
} from './operator.ts'
export type { Occurrence, Once, OnceOptions, OnceResult } from './once.ts'
export {
  type AnyPolicy,
  type CacheOptions,
  type CallOptions,
  cacheType,
  type Logger,
  type OutageOptions,
  type Scope,
  type TypedPolicy,
  type TypePolicy,
} from './options.ts'
export { AGE_BOUNDS, LATENCY_BOUNDS, type Latency, type Stats, type TierStats, type TypeStats } from './stats.ts'
export type { Claim, Claimed, ConnectionListener, SharedStore, StoredRecord, Swept, Usage } from './store.ts'
export { type FileStoreOptions, fileStore } from './stores/file/store.ts'
export { type MemoryStore, memoryStore } from './stores/memory.ts'
export { type RedisStoreOptions, redisStore } from './stores/redis/store.ts'
export type { Fetched, Glanced, Peeked, ReadOptions, SetOptions, Verbs } from './verbs.ts'
