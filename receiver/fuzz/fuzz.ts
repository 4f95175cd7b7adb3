import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { toHookEvent } from '@agentic-hooks/events'
import { Random } from '../../test/random.ts'
import { UndecodableError } from '../src/decode/decoded-request.ts'
import { decodeOtlpJson } from '../src/decode/otlp-json.ts'
import { decodeOtlpProtobuf } from '../src/decode/otlp-protobuf.ts'
import { decode, encode, expectedEvents, type KeyValue, type LogsRequest } from '../test/decode/reference.ts'
import { mutate } from './mutate.ts'

const RECEIVED_AT_MICROS = 1_795_370_947_000_000
const CORPUS = new URL('../fixtures/corpus/', import.meta.url)
export interface FuzzOptions {
  readonly seed: number
  readonly bodies: number
  readonly report?: (line: string) => void
}

export interface FuzzResult {
  readonly decoded: number
  readonly refused: number
  /** Bodies that both decoders read, and read alike. */
  readonly compared: number
  /** What should not have happened; empty when all is well. Each body is kept in the corpus. */
  readonly failures: readonly string[]
}

/** Decodes the corpus, then mutated bodies of it: each must be decoded or refused with UndecodableError. */
export function fuzz({ seed, bodies, report = () => {} }: FuzzOptions): FuzzResult {
  const random = new Random(seed)
  const corpus = readCorpus()
  const failures: string[] = []
  const counts = { decoded: 0, refused: 0, compared: 0 }
  corpus.forEach(({ body, isJson }, index) => {
    const problem = check(body, isJson, counts)
    if (problem) failures.push(`corpus[${index}]: ${problem}`)
  })
  for (let index = 0; index < bodies; index++) {
    const { isJson, body: original } = random.pick(corpus)
    const body = mutate(original, random.pick(corpus).body, random)
    const problem = check(body, isJson, counts)
    if (problem) failures.push(keep(body, isJson, seed, index, problem))
    if (index % 100_000 === 99_999)
      report(`${index + 1} bodies, ${Math.round(process.memoryUsage().rss / 2 ** 20)} MB`)
  }
  return { ...counts, failures }
}

/** What is wrong with the way that a body was decoded or refused; null when nothing is. */
function check(
  body: Buffer,
  isJson: boolean,
  counts: { decoded: number; refused: number; compared: number },
) {
  try {
    const { batch } = (isJson ? decodeOtlpJson : decodeOtlpProtobuf)(body, RECEIVED_AT_MICROS)
    batch.events.forEach(toHookEvent) // Its payloads are JSON, or this throws.
    counts.decoded++
    const readable = isJson ? null : readableByBoth(body)
    if (readable === null) return null
    counts.compared++
    const { batch: same, rejected } = decodeOtlpProtobuf(readable, RECEIVED_AT_MICROS)
    const isSame =
      rejected.length > 0 ||
      sameEvents(same.events.map(toHookEvent), expectedEvents(readable, RECEIVED_AT_MICROS))
    return isSame ? null : 'differs from the independent decoder'
  } catch (error) {
    if (!(error instanceof UndecodableError)) return String((error as Error).stack)
    counts.refused++
    return null
  }
}

/**
 * The body, when the independent decoder reads it too. That one replaces a message that occurs twice where
 * protobuf says to merge it; such a body is compared in the form that it writes itself. Nor does it tell which
 * of a oneof's members came last; bodies with two are not compared.
 */
function readableByBoth(body: Buffer): Buffer | null {
  try {
    const request = decode(body)
    if (hasAmbiguousValue(request)) return null
    const written = encode(request)
    return written.length === body.length ? body : written
  } catch {
    return null
  }
}

function hasAmbiguousValue(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const members = Object.entries(value)
  const set = members.filter(([key]) => key.endsWith('Value'))
  return set.length > 1 || members.some(([, member]) => hasAmbiguousValue(member))
}

function sameEvents(events: readonly object[], expected: readonly object[]): boolean {
  const comparable = (list: readonly object[]) =>
    JSON.stringify(list.map((event) => sorted({ ...event, timestamp: 0, observedAtMicros: 0 })))
  return comparable(events) === comparable(expected)
}

/** Two objects of the same content in the same spelling. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, member]) => [key, sorted(member)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

interface Case {
  readonly isJson: boolean
  readonly body: Buffer
}

/** Small requests: damage to them leaves more to decode than damage to a long one. */
function hookEvents(): LogsRequest[] {
  const values: KeyValue[] = [
    { key: 'tool_name', value: { stringValue: 'Bash' } },
    { key: 'n', value: { intValue: '-9007199254740993' } },
    { key: 'ratio', value: { doubleValue: 0.1 } },
    { key: 'ok', value: { boolValue: true } },
    { key: 'text', value: { stringValue: 'é "quoted" \\ \u0000 \u2028 😀' } },
    {
      key: 'list',
      value: { arrayValue: { values: [{}, { stringValue: '' }, { arrayValue: { values: [] } }] } },
    },
  ]
  const attributes: KeyValue[] = [
    { key: 'log.record.uid', value: { stringValue: '01a20472-999a-7734-a81a-0ce43b9491e4' } },
    { key: 'session.id', value: { stringValue: 'session' } },
    { key: 'event.name', value: { stringValue: 'agentic_hooks.tool_blocked' } },
    { key: 'gen_ai.tool.name', value: { stringValue: 'Bash' } },
  ]
  const times = { timeUnixNano: '1795361760123456789', observedTimeUnixNano: '1795361760123456789' }
  const record = { ...times, severityNumber: 13, flags: 1, body: { stringValue: 'Bash blocked' } }
  const data: KeyValue = { key: 'agentic_hooks.data', value: { kvlistValue: { values } } }
  return [
    { ...record, attributes: [...attributes, data] },
    { ...record, attributes: [...attributes, ...values] },
    record,
  ].map((logRecord) => ({
    resourceLogs: [
      { resource: { attributes: values }, scopeLogs: [{ scope: { name: 'fuzz' }, logRecords: [logRecord] }] },
    ],
  }))
}

/** Captured bodies, and those that were interesting in earlier runs. */
export function readCorpus(): Case[] {
  const read = (path: string) => readFileSync(new URL(`../fixtures/${path}`, import.meta.url))
  const kept = readdirSync(CORPUS)
    .filter((name) => name.endsWith('.json') || name.endsWith('.pb'))
    .map((name) => ({ isJson: name.endsWith('.json'), body: readFileSync(new URL(name, CORPUS)) }))
  return [
    ...hookEvents().flatMap((request) => [
      { isJson: false, body: encode(request) },
      { isJson: true, body: Buffer.from(JSON.stringify(request)) },
    ]),
    { isJson: false, body: read('claude-code/otlp-logs-1.pb') },
    { isJson: true, body: read('otlp/logs.json') },
    { isJson: true, body: read('otlp/events.json') },
    ...kept,
  ]
}

function keep(body: Buffer, isJson: boolean, seed: number, index: number, problem: string): string {
  mkdirSync(CORPUS, { recursive: true })
  const name = `seed-${seed}-${index}.${isJson ? 'json' : 'pb'}`
  writeFileSync(new URL(name, CORPUS), body)
  return `${name}: ${problem}`
}
