/**
 * The fields of an event in a REST body or a line of JSONL, in the order in which WebAssembly reads them: first texts
 * that recur from event to event, then other plain values, then objects.
 */
export const EVENT_FIELDS = [
  'event_type',
  'session_id',
  'workflow_id',
  'phase_id',
  'milestone_id',
  'event_id',
  'timestamp',
  'severity',
  'trace_id',
  'span_id',
  'data',
  'attributes',
  'resource',
  'scope',
] as const

export type EventField = (typeof EVENT_FIELDS)[number]

/** So many of them recur. */
export const CACHED_FIELDS = EVENT_FIELDS.indexOf('event_id')
export const FIRST_PAYLOAD = EVENT_FIELDS.indexOf('data')

/** The bits of some of them. */
export function bitsOf(fields: readonly EventField[]): number {
  return fields.reduce((bits, field) => bits | (1 << EVENT_FIELDS.indexOf(field)), 0)
}
