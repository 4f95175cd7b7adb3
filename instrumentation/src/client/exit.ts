/** A client, as far as the end of the process concerns it. */
export interface Exiting {
  /** The event loop has nothing left to do: delivers what is pending, for a bounded time. */
  beforeExit(): Promise<void>
  /** A signal asks the process to end. Resolves when what is pending has been delivered or given up. */
  finish(): Promise<void>
  /** The application handles the signal itself and may end at any moment: puts what is pending out of danger. */
  secure(): void
  /** The process is ending, and nothing asynchronous will happen any more. */
  atExit(): void
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

const clients = new Set<Exiting>()

/** Watches the end of the process for a client, with one set of listeners for all of them. */
export function watchExit(client: Exiting): void {
  if (clients.size === 0) listen()
  clients.add(client)
}

export function unwatchExit(client: Exiting): void {
  clients.delete(client)
  if (clients.size === 0) unlisten()
}

function listen(): void {
  process.on('beforeExit', onBeforeExit)
  process.on('exit', onExit)
  for (const signal of SIGNALS) process.prependListener(signal, onSignal)
}

function unlisten(): void {
  process.off('beforeExit', onBeforeExit)
  process.off('exit', onExit)
  for (const signal of SIGNALS) process.off(signal, onSignal)
}

/** Comes again after the asynchronous work that it starts, and ends the process when it starts none. */
function onBeforeExit(): void {
  for (const client of clients) void client.beforeExit()
}

function onExit(): void {
  for (const client of clients) client.atExit()
}

/**
 * A listener changes what a signal does, and others judge by the number of listeners whether it is theirs to end
 * the process. So ours goes first and leaves before they run; alone, it ends the process as the signal would have.
 */
function onSignal(signal: NodeJS.Signals): void {
  process.off(signal, onSignal)
  if (process.listenerCount(signal) === 0) {
    void Promise.allSettled([...clients].map((client) => client.finish())).then(() =>
      process.kill(process.pid, signal),
    )
  } else {
    for (const client of clients) client.secure()
    setImmediate(() => {
      const isBack = process.listeners(signal).includes(onSignal)
      if (clients.size > 0 && !isBack) process.prependListener(signal, onSignal)
    }).unref()
  }
}
