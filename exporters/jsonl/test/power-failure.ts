import { SimulatedDisk, SURVIVALS } from './simulated-disk.ts'

/** Runs against a disk and tells the id of every event when it is acknowledged. */
export type Workload = (disk: SimulatedDisk, acknowledge: (eventId: string) => void) => Promise<void>

/** A moment at which the power could have failed: what was found then, and what had been acknowledged. */
export interface Failure {
  readonly image: SimulatedDisk
  readonly acknowledged: ReadonlySet<string>
}

/** Every state in which a power failure during the workload can leave the disk, in several variants each. */
export async function powerFailures(
  workload: Workload,
  { ignoredSync = -1, random = Math.random }: { ignoredSync?: number; random?: () => number } = {},
): Promise<{ failures: Failure[]; syncs: string[] }> {
  const disk = new SimulatedDisk()
  disk.ignoredSync = ignoredSync
  const failures: Failure[] = []
  let acknowledged: ReadonlySet<string> = new Set()
  const mayFail = () => {
    for (const survival of SURVIVALS) {
      failures.push({ image: disk.afterPowerFailure(survival, random), acknowledged })
    }
  }
  disk.onChange = mayFail
  await workload(disk, (eventId) => {
    acknowledged = new Set([...acknowledged, eventId])
    mayFail()
  })
  return { failures, syncs: disk.syncs }
}

/** The same numbers again for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
