import type { Exporter } from '@agentic-hooks/events'
import { type Receiver, readConfig, startReceiver } from '@agentic-hooks/receiver'
import pino, { type Logger } from 'pino'

export interface TestReceiver extends Receiver, AsyncDisposable {
  readonly url: string
}

/** A receiver in this process, on a free port, over the given exporters. */
export async function startTestReceiver(
  exporters: readonly Exporter[],
  env: Readonly<Record<string, string>> = {},
  log: Logger = pino({ level: 'silent' }),
): Promise<TestReceiver> {
  const receiver = await startReceiver(readConfig({ PORT: '0', ...env }), exporters, log)
  return {
    ...receiver,
    url: receiver.urls[0]!,
    [Symbol.asyncDispose]: () => receiver.close(),
  }
}
