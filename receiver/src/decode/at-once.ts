import type { Micros } from '@agentic-hooks/events'
import { checkJsonValues } from '../ingest/json-size.ts'
import type { Budget } from './budget.ts'
import type { Decode, DecodedRequest } from './decoded-request.ts'
import { joined, joinedForNow } from './joined.ts'

/** A body that is larger is looked at in several steps. */
const SMALL_BYTES = 2 ** 20

/** A decoder of JSON that needs the whole body in one piece and cannot give way. */
export function decodeAtOnce(
  decode: (body: Uint8Array, receivedAtMicros: Micros, budget: Budget) => DecodedRequest,
): Decode {
  return function* (body, receivedAtMicros, budget) {
    if (body.byteLength <= SMALL_BYTES) return decode(joinedForNow(body), receivedAtMicros, budget)
    const bytes = joined(body)
    yield
    checkJsonValues(bytes, budget.limits.maxJsonValues)
    yield
    return decode(bytes, receivedAtMicros, budget)
  }
}
