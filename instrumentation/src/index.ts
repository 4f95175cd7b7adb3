export { EventType, type HookEvent } from '@agentic-hooks/events'
export { type InstrumentToolOptions, instrumentTool } from './agents/instrument-tool.ts'
export { HookClient } from './client/client.ts'
export type { Session, SessionScope } from './client/session.ts'
export type { ClientStats, FlushResult } from './client/stats-metrics.ts'
export type { Headers, HookClientOptions, TlsOptions } from './options/options.ts'
export type { ClientLogger, Drop, DropReason } from './options/types.ts'
export {
  type EmittedEvent,
  type HookLogRecord,
  type RecordContext,
  toApiLogRecord,
  toLogRecord,
} from './record/log-record.ts'
export { REDACTED, type RedactOptions, Redactor } from './record/redact.ts'
export { INSTRUMENTATION_SCOPE, processResource } from './record/resource.ts'
export { InMemoryExporter, JsonlFileExporter, NullExporter } from './transport/local-exporters.ts'
