import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { collectorPath, NEEDS_GO } from '../scripts/collector/build.ts'
import { has } from '../scripts/tools.ts'

const run = promisify(execFile)

/** Builds the Collector before the first test, and prints what is tested against. */
export async function setup(): Promise<void> {
  if (!process.env.OTELCOL_BIN && !has('go')) throw new Error(NEEDS_GO)
  console.log('Building the Collector, unless it is there already ...')
  const { stdout } = await run(await collectorPath(), ['--version'])
  console.log(`OpenTelemetry Collector: ${stdout.trim()}`)
  console.log(`Node: ${process.version}`)
}
