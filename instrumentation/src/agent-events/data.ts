import type { EventData } from '@agentic-hooks/events'

/** One object of several, the later ones winning. What is not known must not hide what is, here or in a session. */
export function joined(...parts: readonly EventData[]): EventData {
  const data: EventData = {}
  for (const part of parts) {
    for (const key in part) if (part[key] !== undefined) data[key] = part[key]
  }
  return data
}
