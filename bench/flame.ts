import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { type CpuProfile, type Frame, foldProfile, prune } from './flame-profile.ts'
import type { BenchOptions, Row } from './harness.ts'
import type { LoadReport } from './load/options.ts'
import { startLoad } from './load/start.ts'
import { measureLoad } from './measure.ts'
import { startReceiver } from './servers.ts'
import { postgresStorage } from './storage.ts'

export const question = 'Where does the CPU of the receiver go?'

const LOAD = { connections: 16, records: 512 }
const WARMUP_MILLIS = 3_000
const INTERVAL_MICROS = 500
const LEAST_SHARE = 0.003
const MOST_FILES = 4

export async function run({ durationMillis = 6_000 }: BenchOptions = {}): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'agentic-hooks-flame-'))
  const storage = await postgresStorage()
  try {
    await using receiver = await startReceiver({
      ...storage.environment,
      NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${folder} --cpu-prof-interval=${INTERVAL_MICROS}`,
    })
    const load = { ...LOAD, target: receiver.url }
    const warmup = await startLoad({ ...load, durationMillis: WARMUP_MILLIS })
    const from = monotonicMicros()
    const measured = await measureLoad({ serverPid: receiver.pid }, { ...load, durationMillis })
    const period = { from, to: monotonicMicros() }
    const accepted = warmup.acceptedEvents + (measured.report as LoadReport).acceptedEvents
    const missing = accepted - (await storage.count())
    if (missing > 0) throw new Error(`${missing} events were acknowledged and are not in ${storage.name}`)
    await receiver.stop()
    const [file] = readdirSync(folder)
    if (!file) throw new Error('the receiver left no profile when it ended')
    const root = foldProfile(JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile, period)
    return toRows(root, measured)
  } finally {
    await storage.stop()
    rmSync(folder, { recursive: true })
  }
}

/** The profile's clock, in whichever process it is read. */
function monotonicMicros(): number {
  return Number(process.hrtime.bigint() / 1_000n)
}

/** Shares are of samples; the microseconds are the process's own, divided by them. */
function toRows(root: Frame, measured: Row): Row[] {
  const microsPerEvent = Number(measured['server µs/event'])
  const cost = (samples: number) => ({
    '%': (samples / root.samples) * 100,
    'µs/event': (samples / root.samples) * microsPerEvent,
  })
  const areas = Object.entries(Object.groupBy(flatten(root), ({ area }) => area)).map(([area, frames]) => {
    const files = selfByFile(frames).map(([file, samples]) => ({ file, ...cost(samples) }))
    const most = files.slice(0, MOST_FILES).map((each) => `${basename(each.file)} ${each['%'].toFixed(1)}`)
    return { area, ...cost(selfOf(frames)), '% by file': most.join(', '), files }
  })
  return [
    ...areas.sort((a, b) => b['%'] - a['%']),
    {
      area: 'all',
      ...cost(root.samples),
      measured: { ...measured, report: undefined },
      frames: prune(root, root.samples * LEAST_SHARE),
    },
  ]
}

function selfByFile(frames: readonly Frame[]): [file: string, samples: number][] {
  const byFile = Map.groupBy(frames, ({ file }) => file || 'native code')
  return [...byFile]
    .map(([file, ofFile]): [string, number] => [file, selfOf(ofFile)])
    .filter(([, samples]) => samples > 0)
    .sort(([, a], [, b]) => b - a)
}

function selfOf(frames: readonly Frame[]): number {
  return frames.reduce((sum, { selfSamples }) => sum + selfSamples, 0)
}

function flatten(frame: Frame): Frame[] {
  return [frame, ...frame.children.flatMap(flatten)]
}
