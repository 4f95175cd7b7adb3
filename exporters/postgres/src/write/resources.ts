import { createHash } from 'node:crypto'
import type { EventBatch, Micros, Origin } from '@agentic-hooks/events'
import type { Client } from 'pg'

/** The row of hook_resources that an event's origin becomes. */
export interface Resource {
  /** 16 bytes of the content's hash: the same for the same content, from whichever receiver. */
  readonly id: Buffer
  readonly origin: Origin
  /** Latest time of an event that refers to it, or of the batch's receipt. Retention goes by it. */
  readonly lastSeenMicros: Micros
}

export type ResourcesByOrigin = ReadonlyMap<Origin, Resource>

const DAY_MICROS = 86_400_000_000
/** A resource is an agent's process, say; 100,000 of them take some 20 MB. */
const MAX_KNOWN = 100_000

export function resourcesOf({ events, receivedAtMicros }: EventBatch): ResourcesByOrigin {
  const origins = new Set<Origin>()
  let lastSeenMicros = receivedAtMicros
  let previous: Origin | null = null
  for (const { origin, timestampMicros } of events) {
    // The events of one origin follow each other.
    if (origin !== null && origin !== previous) origins.add(origin)
    previous = origin
    if (timestampMicros > lastSeenMicros) lastSeenMicros = timestampMicros
  }
  const resources = new Map<Origin, Resource>()
  for (const origin of origins) resources.set(origin, { id: hashOf(origin), origin, lastSeenMicros })
  return resources
}

function hashOf({ resource, scope }: Origin): Buffer {
  const hash = createHash('sha256')
  if (resource) hash.update(resource)
  hash.update('\0')
  if (scope) hash.update(scope)
  return hash.digest().subarray(0, 16)
}

const INSERT = `
INSERT INTO hook_resources AS known (id, resource, scope, last_seen)
SELECT id, resource::jsonb, scope::jsonb, to_timestamp(last_seen_micros / 1e6)
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::float8[]) AS seen (id, resource, scope, last_seen_micros)
ORDER BY id
ON CONFLICT (id) DO UPDATE SET last_seen = excluded.last_seen WHERE known.last_seen < excluded.last_seen`

/**
 * The rows of hook_resources that a connection's server had when it was last told or asked. They are inserted and
 * committed on their own, before the events that refer to them, and remembered only after that commit. Each transaction
 * that stores events asks for them again (see EventStore), because a failover, a restore or a TRUNCATE takes rows back.
 */
export class KnownResources {
  /** By id, the `last_seen` that was committed; the oldest entry first. */
  readonly #lastSeenMicros = new Map<string, Micros>()

  /** By id, those whose rows may not be there, or say that they were last seen long ago. */
  missing(resources: Iterable<Resource>): ReadonlyMap<string, Resource> {
    const missing = new Map<string, Resource>()
    for (const resource of resources) {
      const id = resource.id.toString('hex')
      const known = this.#lastSeenMicros.get(id) ?? missing.get(id)?.lastSeenMicros
      if (known === undefined || known < resource.lastSeenMicros - DAY_MICROS) missing.set(id, resource)
    }
    return missing
  }

  /** Inserts those that `missing` found. */
  async insert(client: Client, missing: ReadonlyMap<string, Resource>): Promise<void> {
    const rows = [...missing.values()]
    await client.query(INSERT, [
      [...missing.keys()],
      rows.map(({ origin }) => jsonText(origin.resource)),
      rows.map(({ origin }) => jsonText(origin.scope)),
      rows.map(({ lastSeenMicros }) => lastSeenMicros),
    ])
    for (const [id, { lastSeenMicros }] of missing) this.#remember(id, lastSeenMicros)
  }

  /** From now on nothing is known to be there. */
  forget(): void {
    this.#lastSeenMicros.clear()
  }

  #remember(id: string, lastSeenMicros: Micros): void {
    this.#lastSeenMicros.delete(id)
    this.#lastSeenMicros.set(id, lastSeenMicros)
    if (this.#lastSeenMicros.size <= MAX_KNOWN) return
    for (const oldest of this.#lastSeenMicros.keys()) {
      this.#lastSeenMicros.delete(oldest)
      return
    }
  }
}

function jsonText(json: Uint8Array | null): string | null {
  return json && Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString()
}
