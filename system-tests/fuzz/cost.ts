import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import zlib from 'node:zlib'
import { Random } from '@agentic-hooks/testing/random'
import { type RunningReceiver, startReceiver } from '@agentic-hooks/testing/receiver'
import { describe, jsonOf, mutateBody, type Node, protobufOf, randomBody } from './cost-bodies.ts'
import type { FuzzOptions } from './fuzz.ts'
import { limitMemory } from './memory-limit.ts'

const MIB = 2 ** 20
const MAX_BODY_BYTES = 64 * MIB
const MEMORY_LIMIT_BYTES = 1024 * MIB
/** Default MAX_BYTES_IN_FLIGHT, and what a receiver may take beside it. */
const MAX_RESIDENT_BYTES = 256 * MIB + 200e6
/** Sent at once. */
const COPIES = 4
/** Those that are varied further, by each measure. */
const SURVIVORS = 6
const FRESH_SHARE = 0.3
/** Resolution of the event loop's delay. */
const LAG_MILLIS = 10

type Format = 'protobuf' | 'json'
type Coding = 'identity' | 'gzip' | 'deflate' | 'zstd'

interface Candidate {
  readonly node: Node
  readonly format: Format
  readonly coding: Coding
}

/** What a candidate did to the receiver. */
interface Cost extends Candidate {
  readonly sentBytes: number
  readonly bodyBytes: number
  readonly statuses: string
  /** Of the main thread, for each copy. */
  readonly threadMillis: number
  /** The longest time in which the receiver did nothing else. */
  readonly stallMillis: number
  readonly peakBytes: number
}

/** What is searched for: more is worse. */
const MEASURES: Readonly<Record<string, (cost: Cost) => number>> = {
  'thread ms per kB sent': ({ threadMillis, sentBytes }) => threadMillis / Math.max(sentBytes / 1000, 0.1),
  'thread ms per MiB of body, if accepted': ({ threadMillis, bodyBytes, statuses }) =>
    statuses.includes('200') ? threadMillis / Math.max(bodyBytes / MIB, 1) : 0,
  'stall ms': ({ stallMillis }) => stallMillis,
  'peak MB': ({ peakBytes }) => peakBytes / 1e6,
}

export interface CostResult {
  readonly limit: string
  /** A table by each measure. */
  readonly worst: readonly string[]
  /** Bodies that ended the receiver, got another answer than 2xx, 4xx or 503, or took more memory than they may. */
  readonly failures: readonly string[]
}

/**
 * Searches requests that cost a receiver most for what they send: by chance, then by variations of the worst. It runs
 * in a process of its own with 1 GiB of memory; what is worst by each measure is returned.
 * @param formats default: protobuf
 */
export async function fuzzCost(
  { seed, bodies, report = () => {} }: FuzzOptions,
  formats: readonly Format[] = ['protobuf'],
): Promise<CostResult> {
  const random = new Random(seed)
  const folder = mkdtempSync(join(tmpdir(), 'agentic-hooks-fuzz-'))
  const costs: Cost[] = []
  const failures: string[] = []
  let limitDescription = ''
  try {
    for (let tried = 0; tried < bodies; ) {
      await using receiver = await startReceiver({ cwd: folder, nodeArgs: ['--max-semi-space-size=16'] })
      using limit = limitMemory(receiver.pid, MEMORY_LIMIT_BYTES)
      limitDescription = limit?.description ?? 'none: no rights to make a cgroup'
      // A new receiver every now and then: the file of events must not fill the disk.
      for (const end = Math.min(tried + 50, bodies); tried < end; tried++) {
        const candidate = nextCandidate(costs, formats, random)
        const cost = await tryOut(candidate, receiver)
        if (cost === null) continue
        costs.push(cost)
        const failure = failureOf(cost)
        if (failure) failures.push(`${failure}: ${rowOf(cost)}`)
        if (failure?.startsWith('ended')) break
      }
      rmSync(join(folder, '.agentic'), { recursive: true, force: true })
      report(`${tried} bodies, ${costs.length} sent`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  const worst = Object.entries(MEASURES).flatMap(([name, measure]) => [
    `-- most ${name}`,
    ...worstBy(measure, costs, 5).map((cost) => `${measure(cost).toFixed(1).padStart(9)}  ${rowOf(cost)}`),
  ])
  return { limit: limitDescription, worst, failures }
}

function worstBy(measure: (cost: Cost) => number, costs: readonly Cost[], count: number): readonly Cost[] {
  return costs.toSorted((a, b) => measure(b) - measure(a)).slice(0, count)
}

function nextCandidate(costs: readonly Cost[], formats: readonly Format[], random: Random): Candidate {
  const coding = random.pick<Coding>(['identity', 'gzip', 'deflate', 'zstd'])
  if (costs.length < SURVIVORS || random.next() < FRESH_SHARE)
    return { node: randomBody(random), format: random.pick(formats), coding }
  const measure = random.pick(Object.values(MEASURES))
  const parent = random.pick(worstBy(measure, costs, SURVIVORS))
  const keepsCoding = random.between(0, 3) > 0
  return {
    node: mutateBody(parent.node, random),
    format: parent.format,
    coding: keepsCoding ? parent.coding : coding,
  }
}

/** Null when it is no body that is worth sending. */
async function tryOut(candidate: Candidate, { url, pid }: RunningReceiver): Promise<Cost | null> {
  const { node, format, coding } = candidate
  const body = (format === 'json' ? jsonOf : protobufOf)(node, MAX_BODY_BYTES)
  if (body === null) return null
  const sent = compress(body, coding)
  const headers = {
    'content-type': format === 'json' ? 'application/json' : 'application/x-protobuf',
    'content-encoding': coding,
  }
  try {
    await lagMillis(url) // Forgets what was before.
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
    const before = threadMillis(pid)
    const statuses = await Promise.all(Array.from({ length: COPIES }, () => post(url, sent, headers)))
    const stallMillis = Math.max(0, (await lagMillis(url)) - LAG_MILLIS)
    return {
      ...candidate,
      sentBytes: sent.byteLength,
      bodyBytes: body.byteLength,
      statuses: [...new Set(statuses)].join(' '),
      threadMillis: (threadMillis(pid) - before) / COPIES,
      stallMillis,
      peakBytes: peakBytes(pid),
    }
  } catch (error) {
    const statuses = `ended: ${error instanceof Error ? error.message : error}`
    const nothing = { threadMillis: 0, stallMillis: 0, peakBytes: 0 }
    return { ...candidate, sentBytes: sent.byteLength, bodyBytes: body.byteLength, statuses, ...nothing }
  }
}

function failureOf({ statuses, peakBytes }: Cost): string | null {
  if (statuses.startsWith('ended')) return statuses
  const wrong = statuses.split(' ').find((status) => !/^(?:2\d\d|4\d\d|503)$/.test(status))
  if (wrong) return `answered ${wrong}`
  return peakBytes > MAX_RESIDENT_BYTES ? `took ${Math.round(peakBytes / 1e6)} MB` : null
}

function compress(body: Buffer, coding: Coding): Buffer {
  switch (coding) {
    case 'gzip':
      return zlib.gzipSync(body, { level: body.byteLength > MIB ? 1 : 9 })
    case 'deflate':
      return zlib.deflateSync(body, { level: body.byteLength > MIB ? 1 : 9 })
    case 'zstd':
      return zlib.zstdCompressSync(body)
    default:
      return body
  }
}

async function post(url: string, body: Buffer, headers: Record<string, string>): Promise<string> {
  const response = await fetch(`${url}/v1/logs`, { method: 'POST', headers, body: new Uint8Array(body) })
  await response.arrayBuffer()
  return String(response.status)
}

/** The longest delay of the event loop since the last call. */
async function lagMillis(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return 1000 * Number(/^nodejs_eventloop_lag_max_seconds (\S+)/m.exec(text)?.[1] ?? 0)
}

/** What the main thread has had of a processor. */
function threadMillis(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6
}

function peakBytes(pid: number): number {
  return 1024 * Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

function rowOf(cost: Cost): string {
  const { format, coding, sentBytes, bodyBytes, statuses, threadMillis, stallMillis, peakBytes, node } = cost
  const measured = `${threadMillis.toFixed(0)} ms, stall ${stallMillis.toFixed(0)} ms, peak ${(peakBytes / 1e6).toFixed(0)} MB`
  const sizes = `${sentBytes} of ${bodyBytes} bytes`
  return `${statuses}  ${measured}, ${sizes} (${format}, ${coding}): ${describe(node).slice(0, 200)}`
}
