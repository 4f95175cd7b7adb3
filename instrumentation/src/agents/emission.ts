import type { HookEvent } from '@agentic-hooks/events'
import type { LogRecord } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import { HookClient } from '../client/client.ts'
import { resolveConfig } from '../options/config.ts'
import { type RecordContext, toApiLogRecord, toLogRecord } from '../record/log-record.ts'
import { redactorOf } from '../record/redact.ts'

// It is the provider that delivers: of what the environment configures, only what makes the record counts.
const { redact, maxPayloadBytes } = resolveConfig({ disabled: true })

/** Resource and scope are those of the provider; they are no part of what its logger is given. */
const CONTEXT: RecordContext = {
  resource: {} as Resource,
  instrumentationScope: { name: '' },
  redactor: redactorOf(redact),
  maxPayloadBytes,
}

/** The event for a logger of the application. */
export function apiLogRecord(event: HookEvent): LogRecord {
  return toApiLogRecord(toLogRecord(event, CONTEXT))
}

/** The client that the environment configures. */
export function createClient(): HookClient {
  return new HookClient()
}
