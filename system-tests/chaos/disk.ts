import { execFileSync } from 'node:child_process'
import { statfsSync } from 'node:fs'

const MEBIBYTES = 6_144
const FILL_ATTEMPTS = 100

/** A file system in memory, which is full when it is told to be: no room for another byte. */
export class FillableDisk {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** Null where none can be mounted: that takes root on Linux. */
  static mount(path: string): FillableDisk | null {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return null
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${MEBIBYTES}m,mode=1777`, 'tmpfs', path], {
        stdio: 'pipe',
      })
      return new FillableDisk(path)
    } catch {
      return null
    }
  }

  fill(): void {
    for (let attempt = 1; ; attempt++) {
      const { blocks, bfree, bsize } = statfsSync(this.path)
      try {
        this.#resize(String((blocks - bfree) * bsize))
        return
      } catch (error) {
        // Somebody may have written meanwhile, and what is smaller than its files is refused.
        if (attempt === FILL_ATTEMPTS) throw error
      }
    }
  }

  empty(): void {
    this.#resize(`${MEBIBYTES}m`)
  }

  unmount(): void {
    execFileSync('umount', ['--lazy', this.path])
  }

  #resize(size: string): void {
    execFileSync('mount', ['-o', `remount,size=${size}`, this.path], { stdio: 'pipe' })
  }
}
