import type { EventData } from '@agentic-hooks/events'

/** One object of several, the later ones winning. What is not known must not hide what is, here or in a session. */
export function joined(...parts: readonly EventData[]): EventData {
  return Object.fromEntries(
    parts.flatMap((part) => Object.entries(part).filter(([, value]) => value !== undefined)),
  )
}
