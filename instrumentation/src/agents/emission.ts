import type { HookEvent } from '@agentic-hooks/events'
import type { LogRecord } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import { HookClient } from '../client/client.ts'
import { DEFAULTS } from '../options/config.ts'
import { type RecordContext, toApiLogRecord, toLogRecord } from '../record/log-record.ts'
import { Redactor } from '../record/redact.ts'

/** Resource and scope are those of the provider; they are no part of what its logger is given. */
const CONTEXT: RecordContext = {
  resource: {} as Resource,
  instrumentationScope: { name: '' },
  redactor: process.env.AGENTIC_HOOKS_REDACT === 'false' ? null : new Redactor(),
  maxPayloadBytes: DEFAULTS.maxPayloadBytes,
}

/** The event for a logger of the application. */
export function apiLogRecord(event: HookEvent): LogRecord {
  return toApiLogRecord(toLogRecord(event, CONTEXT))
}

/** The client that the environment configures; OpenTelemetry's variables (OTEL_EXPORTER_OTLP_*) it reads itself. */
export function createClient(): HookClient {
  const { AGENTIC_HOOKS_SPOOL: spool, AGENTIC_HOOKS_DURABILITY, AGENTIC_HOOKS_REDACT } = process.env
  return new HookClient({
    ...(spool ? { spool } : {}),
    ...(AGENTIC_HOOKS_DURABILITY ? { durability: AGENTIC_HOOKS_DURABILITY as 'disk' } : {}),
    ...(AGENTIC_HOOKS_REDACT === 'false' ? { redact: false } : {}),
  })
}
