import { collectorVersion } from './collector.ts'
import { MISSING } from './peers.ts'

/** Builds the Collector before the first test, and prints what is tested against and what is not. */
export async function setup(): Promise<void> {
  for (const reason of new Set(Object.values(MISSING))) {
    if (reason) console.log(`Some tests are skipped: ${reason}`)
  }
  if (!MISSING.collector) {
    console.log('Building the Collector, unless it is there already ...')
    console.log(`OpenTelemetry Collector: ${await collectorVersion()}`)
  }
  console.log(`Node: ${process.version}`)
}
