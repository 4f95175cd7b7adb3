import { Hook } from 'require-in-the-middle'
import { quietly } from '../../agents/error.ts'

/** Calls `patch` with the exports of a file inside a package when it is first required. */
export function onRequire(file: string, patch: (exports: never) => void): void {
  new Hook([file], { internals: true }, (exports) => {
    quietly(() => patch(exports as never))
    return exports
  })
}
