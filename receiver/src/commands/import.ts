import { ConfigError } from '../config/options.ts'
import { unlessAborted } from '../ingest/timeout.ts'
import { loadExporters } from '../storage/load.ts'
import type { Command } from './command.ts'
import { importFiles } from './import-files.ts'
import { ProgressBar } from './import-progress.ts'
import { printable } from './printable.ts'

export const importCommand: Command = {
  name: 'import',
  usage: 'FILE...',
  summary: 'bring files of JSON lines into the storage; to resume, run it again',
  takesOperands: true,
  flags: {},
  async run({ config, operands: files, log, stopSignal }) {
    if (files.length === 0)
      throw new ConfigError('import needs the files to read, as in: import events*.jsonl')
    const [exporter, ...others] = await loadExporters(config, log)
    if (!exporter || others.length)
      throw new ConfigError('import takes one storage: set STORAGE_TYPE or EXPORTERS')
    const bar = new ProgressBar(process.stderr)
    try {
      await unlessAborted(exporter.start(), stopSignal)
      const { isComplete, ...counts } = await importFiles(files, exporter, {
        signal: stopSignal,
        maxLineBytes: config.maxLineBytes,
        onProgress: (progress) => bar.update(progress),
        onRejected({ path, number, reason }) {
          bar.clear()
          // Not logged: the reason may quote the line.
          process.stderr.write(`${printable(`${path}:${number}: ${reason}`)}\n`)
        },
      })
      bar.clear()
      log.info({ files: files.length, ...counts }, 'imported')
      if (!isComplete) throw stopSignal.reason
      if (counts.rejected)
        throw new Error(
          `${counts.rejected} lines were not stored; they are in FILE.rejected, unless they were too long`,
        )
    } finally {
      await exporter.shutdown()
    }
  },
}
