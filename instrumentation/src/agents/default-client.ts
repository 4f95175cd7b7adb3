import type { HookEvent } from '@agentic-hooks/events'
import { warnOnce } from './error.ts'
import { loadEmission } from './load-emission.ts'
import type { Emitter } from './recorder.ts'

/** Made with the first event. */
class LazyClient implements Emitter {
  #client: Emitter | undefined

  emit(event: HookEvent): void {
    this.#client ??= this.#create()
    this.#client.emit(event)
  }

  #create(): Emitter {
    try {
      return loadEmission().createClient()
    } catch (error) {
      warnOnce(error)
      return { emit() {} }
    }
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
