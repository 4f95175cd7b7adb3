import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'

const VERSION_1 = '/sys/fs/cgroup/memory'
const VERSION_2 = '/sys/fs/cgroup'

/** A limit on the memory of a process, which the kernel ends beyond it. */
export interface MemoryLimit extends Disposable {
  /** How it is set, for reports. */
  readonly description: string
}

/**
 * Puts a process that runs under a limit, by a cgroup of its own. What it took before counts elsewhere. Null where that
 * needs rights that this process does not have.
 */
export function limitMemory(pid: number, bytes: number): MemoryLimit | null {
  const isVersion1 = existsSync(`${VERSION_1}/memory.limit_in_bytes`)
  const folder = `${isVersion1 ? VERSION_1 : VERSION_2}/agentic-hooks-fuzz-${pid}`
  try {
    mkdirSync(folder)
    writeFileSync(`${folder}/${isVersion1 ? 'memory.limit_in_bytes' : 'memory.max'}`, String(bytes))
    writeFileSync(`${folder}/cgroup.procs`, String(pid))
  } catch {
    return null
  }
  return {
    description: `a cgroup of ${bytes} bytes (version ${isVersion1 ? 1 : 2})`,
    [Symbol.dispose]() {
      try {
        rmdirSync(folder)
      } catch {} // The process is still there.
    },
  }
}
