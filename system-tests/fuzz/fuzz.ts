import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { toHookEvent } from '@agentic-hooks/events'
import { decodeOtlpJson, decodeOtlpProtobuf, UndecodableError } from '@agentic-hooks/receiver/decode'
import { Random } from '@agentic-hooks/testing/random'
import { encode, type KeyValue, type LogsRequest } from '@agentic-hooks/testing/reference-decoder/protobuf'
import { compareJson, compareProtobuf } from './compare.ts'
import { mutate, mutateJson } from './mutate.ts'

const RECEIVED_AT_MICROS = 1_795_370_947_000_000
const CORPUS = new URL('../../receiver/fixtures/corpus/', import.meta.url)
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
    const { body, isJson } = damaged(corpus, random)
    const problem = check(body, isJson, counts)
    if (problem) failures.push(keep(body, isJson, seed, index, problem))
    if (index % 100_000 === 99_999)
      report(`${index + 1} bodies, ${Math.round(process.memoryUsage().rss / 2 ** 20)} MB`)
  }
  return { ...counts, failures }
}

/** A body of the corpus with some damage. */
export function damaged(corpus: readonly Case[], random: Random): Case {
  const { isJson, body: original } = random.pick(corpus)
  const byMember = isJson && random.between(0, 1) === 1 ? mutateJson(original, random) : null
  return { isJson, body: byMember ?? mutate(original, random.pick(corpus).body, random) }
}

/** What is wrong with the way that a body was decoded or refused; null when nothing is. */
function check(
  body: Buffer,
  isJson: boolean,
  counts: { decoded: number; refused: number; compared: number },
): string | null {
  try {
    const decoded = (isJson ? decodeOtlpJson : decodeOtlpProtobuf)(body, RECEIVED_AT_MICROS)
    decoded.batch.events.forEach(toHookEvent) // Its payloads are JSON, or this throws.
    counts.decoded++
    const comparison = (isJson ? compareJson : compareProtobuf)(body, decoded, RECEIVED_AT_MICROS)
    if (comparison !== 'incomparable') counts.compared++
    return comparison === 'different' ? 'differs from the independent decoder' : null
  } catch (error) {
    if (!(error instanceof UndecodableError)) return String((error as Error).stack)
    counts.refused++
    return null
  }
}

export interface Case {
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
  const read = (path: string) => readFileSync(new URL(`../../receiver/fixtures/${path}`, import.meta.url))
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
