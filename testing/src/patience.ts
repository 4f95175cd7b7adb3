import { vi } from 'vitest'

/** How long a condition may take on a busy machine; a test that passes waits no longer than it has to. */
const PATIENCE_MILLIS = 15_000

// Vitest gives up after a second and has no setting for it.
const { waitFor } = vi
vi.waitFor = (check, options) =>
  waitFor(check, {
    timeout: PATIENCE_MILLIS,
    ...(typeof options === 'number' ? { timeout: options } : options),
  })
