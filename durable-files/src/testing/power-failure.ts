import { SimulatedDisk, SURVIVALS } from './simulated-disk.ts'

/** Ids of the events that must be on the disk. */
export interface Ledger {
  acknowledged(eventId: string): void
  /** Another store has made the event durable: this disk need not have it any more. */
  storedElsewhere(eventId: string): void
}

export type Workload = (disk: SimulatedDisk, ledger: Ledger) => Promise<void>

/** A moment at which the power could have failed. */
export interface PowerFailure {
  /** What was found then. */
  readonly image: SimulatedDisk
  /** Ids of the events that must be there. */
  readonly expected: ReadonlySet<string>
}

/** Every state in which a power failure during the workload can leave the disk, in several variants each. */
export async function powerFailures(
  workload: Workload,
  { ignoredSync = -1, random = Math.random }: { ignoredSync?: number; random?: () => number } = {},
): Promise<{ failures: PowerFailure[]; syncs: string[] }> {
  const disk = new SimulatedDisk()
  disk.ignoredSync = ignoredSync
  const failures: PowerFailure[] = []
  const expected = new Set<string>()
  const mayFail = () => {
    for (const survival of SURVIVALS) {
      failures.push({ image: disk.afterPowerFailure(survival, random), expected: new Set(expected) })
    }
  }
  disk.onChange = mayFail
  await workload(disk, {
    acknowledged(eventId) {
      expected.add(eventId)
      mayFail()
    },
    storedElsewhere(eventId) {
      expected.delete(eventId)
    },
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
