import { createRequire } from 'node:module'
import { quietly } from '../agent-events/error.ts'

type OnRequire = <T>(exports: T) => T
type Hook = new (modules: string[], options: { internals: boolean }, onRequire: OnRequire) => unknown

/** Calls `patch` with the exports of a file inside a package when it is first required. */
export function onRequire(file: string, patch: (exports: never) => void): void {
  // The copy that OpenTelemetry's base class has loaded already.
  const from = createRequire(createRequire(import.meta.url).resolve('@opentelemetry/instrumentation'))
  const { Hook } = from('require-in-the-middle') as { Hook: Hook }
  new Hook([file], { internals: true }, (exports) => {
    quietly(() => patch(exports as never))
    return exports
  })
}
