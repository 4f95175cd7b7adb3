import type { ClientLogger } from '@agentic-hooks/instrumentation'

/** Remembers what was logged. */
export class MemoryLogger implements ClientLogger {
  readonly warnings: string[] = []
  readonly infos: string[] = []

  warn(message: string): void {
    this.warnings.push(message)
  }

  info(message: string): void {
    this.infos.push(message)
  }
}
