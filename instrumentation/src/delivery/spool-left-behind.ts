import { accessSync, constants, renameSync, statSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { diag } from '@opentelemetry/api'
import type { ClientLogger } from '../options/types.ts'
import { isSetAside, type Owner, ownerOf, stateOf } from './spool-owner.ts'

export const SCAN_INTERVAL_MILLIS = 60_000
/** When the file of a process that cannot be seen from here counts as left behind; living ones touch theirs. */
const UNTOUCHED_MILLIS = 10 * SCAN_INTERVAL_MILLIS
/** Names of files left behind that are remembered; further ones are found by a later look. */
const MAX_REMEMBERED = 100_000

/** What other clients have in the directory of a spool, and which of it is for anyone to take. */
export class LeftBehind {
  /** Of all files that are not this client's, those that were set aside included. */
  foreignBytes = 0
  readonly #directory: string
  readonly #logger: ClientLogger
  /** Files of the dead, by their names, with their sizes. */
  readonly #files = new Map<string, number>()
  /** Names of files of which it has been said that they cannot be taken. */
  readonly #untakeable = new Set<string>()

  constructor(directory: string, logger: ClientLogger) {
    this.#directory = directory
    this.#logger = logger
  }

  /** Whether there is nothing to take. */
  get isEmpty(): boolean {
    return this.#files.size === 0
  }

  /** @param own names of the files that are this client's */
  async look(own: ReadonlySet<string>): Promise<void> {
    let foreignBytes = 0
    const found = new Map<string, number>()
    try {
      for (const name of await readdir(this.#directory)) {
        const owner = ownerOf(name)
        if ((owner === undefined && !isSetAside(name)) || own.has(name)) continue
        const file = await stat(join(this.#directory, name)).catch(() => null)
        // Gone: another process has adopted or delivered it.
        if (!file?.isFile()) continue
        foreignBytes += file.size
        if (isLeftBehind(owner, file.mtimeMs) && found.size < MAX_REMEMBERED) found.set(name, file.size)
      }
    } catch (error) {
      diag.warn(`agentic-hooks: ${this.#directory} cannot be read: ${error}`)
    }
    this.foreignBytes = foreignBytes
    this.#files.clear()
    for (const [name, size] of found) this.#files.set(name, size)
  }

  /** Gives one of the files the new path, which makes it this client's. False when there is none left to take. */
  take(newPath: string): boolean {
    for (const [name, size] of this.#files) {
      this.#files.delete(name)
      this.foreignBytes -= size
      if (this.#rename(name, newPath)) return true
    }
    return false
  }

  /** False when another process has it, or it cannot be read. */
  #rename(name: string, newPath: string): boolean {
    const path = join(this.#directory, name)
    try {
      const found = statSync(path, { throwIfNoEntry: false })
      if (!found?.isFile() || !isLeftBehind(ownerOf(name), found.mtimeMs)) return false
      accessSync(path, constants.R_OK)
      renameSync(path, newPath)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#warn(name, error)
      return false
    }
  }

  /** Once for each file, as it is looked at again every minute. */
  #warn(name: string, error: unknown): void {
    if (this.#untakeable.has(name)) return
    if (this.#untakeable.size < MAX_REMEMBERED) this.#untakeable.add(name)
    this.#logger.warn(`${join(this.#directory, name)} is left where it is: ${error}`)
  }
}

function isLeftBehind(owner: Owner | null | undefined, modifiedMillis: number): boolean {
  if (owner === undefined) return false
  if (owner === null) return true
  const state = stateOf(owner)
  return state === 'dead' || (state === 'unknown' && Date.now() - modifiedMillis > UNTOUCHED_MILLIS)
}
