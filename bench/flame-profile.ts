import { join } from 'node:path'

/** What `node --cpu-prof` writes, as far as it is read here. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  /** Ids of nodes. */
  readonly samples: readonly number[]
  /** Microseconds from the sample before, the first from `startTime`. */
  readonly timeDeltas: readonly number[]
  /** On the monotonic clock, in microseconds. */
  readonly startTime: number
}

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string }
  readonly children?: readonly number[]
}

/** A function with those that it called; each function once, wherever in the caller the calls are. */
export interface Frame {
  readonly name: string
  /** Relative to this repository or to node_modules; empty where V8 names none. */
  readonly file: string
  readonly area: Area
  readonly selfSamples: number
  /** With those of its children. */
  readonly samples: number
  readonly children: readonly Frame[]
}

const REST = 'the rest'
const HTTP = 'HTTP and streams'
/** By "function file", the first that fits. What fits none is its caller's: built-ins, Buffer, the vocabulary. */
const AREAS = [
  ['garbage collection', /^\(garbage collector\)/],
  ['hashing', /node:(internal\/)?crypto|events\/src\/codec\/uuid/],
  ['metrics', /receiver\/src\/metrics|prom-client/],
  ['protobuf decoding', /receiver\/src\/decode\//],
  ['COPY encoding', /exporters\/postgres\/src\/write\/(copy-rows|pending-batch|resources)/],
  ['PostgreSQL connection', /exporters\/postgres\/src\/| pg(-[a-z]+)?\//],
  [HTTP, /receiver\/src\/(http\/|routes\/|ingest\/(body|timeout))|node:_http/],
  [REST, /receiver\/src\/|prepareMainThread|node:internal\/(process|timers)/],
] as const
/** Streams serve requests unless something else uses them, as the connections to PostgreSQL do. */
const STREAMS = /node:(net|internal\/stream)| (express|router|helmet|cors)\//

export type Area = (typeof AREAS)[number][0]

export const AREA_NAMES: readonly Area[] = AREAS.map(([name]) => name)

const NOT_COUNTED = new Set(['(idle)', '(program)'])

/** @param period on the monotonic clock, in microseconds; what was sampled before or after is not counted */
export function foldProfile(profile: CpuProfile, period: { from: number; to: number }): Frame {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const samples = countSamples(profile, period)
  const childrenOf = ({ children = [] }: ProfileNode) =>
    children.map((id) => nodes.get(id)!).filter((node) => !NOT_COUNTED.has(node.callFrame.functionName))
  const merge = (same: readonly ProfileNode[], callerArea: Area): Frame => {
    const { functionName, url } = same[0]!.callFrame
    const name = functionName || '(anonymous)'
    const file = shortenUrl(url)
    const area = areaOf(`${name} ${file}`, callerArea)
    const children = [...Map.groupBy(same.flatMap(childrenOf), keyOf).values()]
      .map((called) => merge(called, area))
      .filter((child) => child.samples > 0)
      .sort((a, b) => b.samples - a.samples)
    const selfSamples = sum(same.map(({ id }) => samples.get(id) ?? 0))
    return {
      name,
      file,
      area,
      selfSamples,
      samples: selfSamples + sum(children.map((child) => child.samples)),
      children,
    }
  }
  return merge(profile.nodes.slice(0, 1), REST)
}

/** Of the same tree what has at least this many samples. */
export function prune(frame: Frame, leastSamples: number): Frame {
  const children = frame.children.filter(({ samples }) => samples >= leastSamples)
  return { ...frame, children: children.map((child) => prune(child, leastSamples)) }
}

/** Samples, and not the time between them: while the process waits for a processor there are none. */
function countSamples(
  { samples, timeDeltas, startTime }: CpuProfile,
  { from, to }: { from: number; to: number },
) {
  const counts = new Map<number, number>()
  let time = startTime
  samples.forEach((id, index) => {
    time += timeDeltas[index]!
    if (time >= from && time < to) counts.set(id, (counts.get(id) ?? 0) + 1)
  })
  return counts
}

function areaOf(place: string, callerArea: Area): Area {
  const own = AREAS.find(([, pattern]) => pattern.test(place))?.[0]
  return own ?? (callerArea === REST && STREAMS.test(place) ? HTTP : callerArea)
}

const REPOSITORY = join(import.meta.dirname, '../')

function shortenUrl(url: string): string {
  if (url.startsWith('wasm:')) return 'WebAssembly'
  const path = url.replace(/^file:\/\//, '').replace(/^.*\/node_modules\//, '')
  return path.startsWith(REPOSITORY) ? path.slice(REPOSITORY.length) : path
}

function keyOf({ callFrame }: ProfileNode): string {
  return `${callFrame.functionName} ${callFrame.url}`
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
