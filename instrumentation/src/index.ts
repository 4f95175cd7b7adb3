export { EventType, type HookEvent } from '@agentic-hooks/events'
export { type InstrumentToolOptions, instrumentTool } from './agent-events/instrument-tool.ts'
export { InMemoryExporter, JsonlFileExporter, NullExporter } from './backends.ts'
export { type ClientStats, type FlushResult, HookClient } from './client.ts'
export type { Drop, DropReason } from './drops.ts'
export {
  type EmittedEvent,
  type HookLogRecord,
  type RecordContext,
  toApiLogRecord,
  toLogRecord,
} from './log-record.ts'
export type { ClientLogger, Headers, HookClientOptions, TlsOptions } from './options.ts'
export { REDACTED, type RedactOptions, Redactor } from './redact.ts'
export { INSTRUMENTATION_SCOPE, processResource } from './resource.ts'
export type { Session, SessionScope } from './session.ts'
