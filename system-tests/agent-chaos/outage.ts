import { setTimeout as delay } from 'node:timers/promises'
import { type ClientStats, HookClient, type HookClientOptions } from '@agentic-hooks/instrumentation'
import { freePort } from '@agentic-hooks/testing/postgres'
import { startReceiver } from '@agentic-hooks/testing/receiver'

export interface OutageOptions {
  readonly outageMillis: number
  readonly eventsPerSecond: number
  /** Of the receiver: which storage. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly client: HookClientOptions
  readonly report?: (line: string) => void
}

/** Around the outage. */
const UP_MILLIS = 500
const TICK_MILLIS = 10
const RECOVERY_MILLIS = 120_000

/**
 * Emits without a pause while the receiver is stopped, stays away, and comes back on the same port. Resolves with
 * the client's stats once it has nothing left to deliver.
 */
export async function emitThroughOutage(options: OutageOptions): Promise<ClientStats> {
  const { outageMillis, eventsPerSecond, cwd, report = () => {} } = options
  const env = { ...options.env, PORT: String(await freePort()) }
  const client = new HookClient({ endpoint: `http://127.0.0.1:${env.PORT}`, ...options.client })
  const emitFor = async (millis: number) => {
    const start = Date.now()
    for (let emitted = 0; Date.now() - start < millis; await delay(TICK_MILLIS)) {
      for (; emitted < ((Date.now() - start) * eventsPerSecond) / 1000; emitted++) {
        client.emit({ eventType: 'custom', sessionId: 'outage', data: { emitted } })
      }
    }
  }
  const first = await startReceiver({ env, cwd })
  await emitFor(UP_MILLIS)
  const emitting = emitFor(outageMillis)
  await first.stop()
  await emitting
  report(`before the receiver is back: ${JSON.stringify(client.stats())}`)
  await using _second = await startReceiver({ env, cwd })
  await emitFor(UP_MILLIS)
  const startedAt = Date.now()
  while (client.stats().pending + client.stats().spooled > 0) {
    if (Date.now() - startedAt > RECOVERY_MILLIS)
      throw new Error(`not delivered: ${JSON.stringify(client.stats())}`)
    await delay(TICK_MILLIS)
  }
  report(`all delivered ${Date.now() - startedAt} ms after the last event`)
  await client.close()
  return client.stats()
}
