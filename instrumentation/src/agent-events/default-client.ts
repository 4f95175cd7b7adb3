import { createRequire } from 'node:module'
import type { HookEvent } from '@agentic-hooks/events'
import type { HookClientOptions } from '../options.ts'
import { warnOnce } from './error.ts'
import type { Emitter } from './recorder.ts'

const require = createRequire(import.meta.url)

/** Made with the first event: a process without agents never loads the client, nor OpenTelemetry's SDK. */
class LazyClient implements Emitter {
  #client: Emitter | undefined

  emit(event: HookEvent): void {
    this.#client ??= this.#create()
    this.#client.emit(event)
  }

  #create(): Emitter {
    try {
      const { HookClient } = require(import.meta.filename.endsWith('.ts') ? '../client.ts' : '../client.js')
      return new HookClient(clientOptions())
    } catch (error) {
      warnOnce(error)
      return { emit() {} }
    }
  }
}

/** What OpenTelemetry has no variable for; its own (OTEL_EXPORTER_OTLP_*, OTEL_BLRP_*) the client reads itself. */
function clientOptions(): HookClientOptions {
  const { AGENTIC_HOOKS_SPOOL: spool, AGENTIC_HOOKS_DURABILITY, AGENTIC_HOOKS_REDACT } = process.env
  return {
    ...(spool ? { spool } : {}),
    ...(AGENTIC_HOOKS_DURABILITY ? { durability: AGENTIC_HOOKS_DURABILITY as 'disk' } : {}),
    ...(AGENTIC_HOOKS_REDACT === 'false' ? { redact: false } : {}),
  }
}

// One per thread, so that the preload and whatever the application instruments itself share its connections.
const CLIENT = Symbol.for('agentic-hooks.default-client')
const globals = globalThis as { [CLIENT]?: Emitter }

/** The client that the environment configures; it takes what no LoggerProvider of the application takes. */
export function defaultClient(): Emitter {
  globals[CLIENT] ??= new LazyClient()
  return globals[CLIENT]
}
