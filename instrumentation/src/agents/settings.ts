/** A comma-separated list; undefined when the variable is unset or empty. */
function list(name: string): Set<string> | undefined {
  const names = process.env[name]
    ?.split(',')
    .map((entry) => entry.trim())
    .filter(Boolean)
  return names?.length ? new Set(names) : undefined
}

/**
 * Whether a library is instrumented: AGENTIC_HOOKS_ENABLED_INSTRUMENTATIONS names those that are (default: all),
 * AGENTIC_HOOKS_DISABLED_INSTRUMENTATIONS those that are not and goes first.
 */
export function isInstrumented(framework: string): boolean {
  if (list('AGENTIC_HOOKS_DISABLED_INSTRUMENTATIONS')?.has(framework)) return false
  return list('AGENTIC_HOOKS_ENABLED_INSTRUMENTATIONS')?.has(framework) ?? true
}

/**
 * Whether a library's events carry prompts, answers, tool inputs and outputs: AGENTIC_HOOKS_CAPTURE_CONTENT is
 * `true`, `false` or the list of libraries that do. Unset, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT
 * decides, whose values for events are `true` and `EVENT_ONLY` or `SPAN_AND_EVENT`. Default: yes.
 */
export function capturesContent(framework: string): boolean {
  const own = list('AGENTIC_HOOKS_CAPTURE_CONTENT')
  if (own) return own.has('true') || own.has(framework)
  const otel = process.env.OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT?.trim().toLowerCase()
  return !otel || ['true', 'event_only', 'span_and_event'].includes(otel)
}
