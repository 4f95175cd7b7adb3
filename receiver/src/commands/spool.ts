import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { LockedError, nodeFileSystem } from '@agentic-hooks/durable-files'
import type { Logger } from 'pino'
import { ConfigError } from '../config/options.ts'
import { SpoolFiles } from '../storage/spool/files.ts'
import type { Command } from './command.ts'

/** A running receiver looks for requests once a second, and restores a gigabyte in less than a minute. */
const ANSWER_TIMEOUT_MILLIS = 120_000
const POLL_MILLIS = 100

export const spoolCommand: Command = {
  name: 'spool',
  usage: 'restore',
  summary: 'bring back what the spools set aside, also beside a running receiver',
  takesOperands: true,
  flags: {},
  async run({ config: { spoolDir, maxSpoolBytes }, operands, log, stopSignal }) {
    if (operands.length !== 1 || operands[0] !== 'restore') {
      throw new ConfigError('spool takes one word, restore, as in: spool restore')
    }
    if (spoolDir === undefined) throw new ConfigError('spool restore needs SPOOL_DIR')
    const directories = await spoolDirectories(spoolDir)
    if (directories.length === 0) throw new ConfigError(`there is no spool in SPOOL_DIR, ${spoolDir}`)
    for (const directory of directories) {
      await restore(directory, { maxBytes: maxSpoolBytes, log, stopSignal })
    }
  },
}

/** One for each exporter. */
async function spoolDirectories(spoolDir: string): Promise<string[]> {
  const directories: string[] = []
  for (const name of (await nodeFileSystem.readdir(spoolDir)).sort()) {
    const path = join(spoolDir, name)
    const stat = await nodeFileSystem.stat(path).catch(() => null)
    if (stat && !stat.isFile() && !name.startsWith('.') && name !== 'lost+found') directories.push(path)
  }
  return directories
}

interface RestoreOptions {
  readonly maxBytes: number
  readonly log: Logger
  readonly stopSignal: AbortSignal
}

async function restore(directory: string, { maxBytes, log, stopSignal }: RestoreOptions): Promise<void> {
  const files = new SpoolFiles({ directory, maxBytes, logger: log, fileSystem: nodeFileSystem }, () => {})
  try {
    await files.open()
  } catch (error) {
    if (error instanceof LockedError) return askReceiver(directory, log, stopSignal)
    throw error
  }
  try {
    const restored = await files.restore()
    log.info({ directory, ...restored }, 'restored; the receiver stores it when it starts')
  } finally {
    await files.close()
  }
}

async function askReceiver(directory: string, log: Logger, stopSignal: AbortSignal): Promise<void> {
  await SpoolFiles.requestRestore(nodeFileSystem, directory)
  const giveUpAt = performance.now() + ANSWER_TIMEOUT_MILLIS
  while (await SpoolFiles.isRestoreRequested(nodeFileSystem, directory)) {
    stopSignal.throwIfAborted()
    if (performance.now() > giveUpAt) {
      throw new Error(`the receiver that spools in ${directory} has not restored anything; see its log`)
    }
    await sleep(POLL_MILLIS)
  }
  log.info({ directory }, 'restored by the running receiver; its log and metrics say what became of it')
}
