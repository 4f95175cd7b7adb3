import { decodeOtlpJson, decodeOtlpProtobuf, decodeRestBatch } from '@agentic-hooks/receiver/decode'
import { decode, expectedEvents } from '@agentic-hooks/testing/reference-decoder/protobuf'
import { type BenchOptions, formatTable, interleaved, medianRows, type Row } from './harness.ts'
import { encodeBody } from './load/body.ts'
import { randomIdPrefix } from './load/ids.ts'
import { Markers } from './load/markers.ts'
import type { Protocol } from './load/options.ts'

export const question = 'How many records does a CPU-second decode, and how many with a library?'

const RECORDS = 512
const RECEIVED_AT_MICROS = 1_795_361_760_000_000
const WARM_UP_MILLIS = 300

export async function run({ runs = 5, durationMillis = 1_000 }: BenchOptions): Promise<Row[]> {
  const protobuf = bodyOf('otlp-protobuf')
  const json = bodyOf('otlp-json')
  const rest = bodyOf('rest')
  const variants = {
    'OTLP protobuf': measure(protobuf, durationMillis, () =>
      decodeOtlpProtobuf(protobuf, RECEIVED_AT_MICROS),
    ),
    'OTLP JSON': measure(json, durationMillis, () => decodeOtlpJson(json, RECEIVED_AT_MICROS)),
    'REST batch': measure(rest, durationMillis, () => decodeRestBatch(rest, RECEIVED_AT_MICROS)),
    'OTLP protobuf by protobufjs, to objects': measure(protobuf, durationMillis, () => decode(protobuf)),
    'the same, mapped to events': measure(protobuf, durationMillis, () =>
      expectedEvents(protobuf, RECEIVED_AT_MICROS),
    ),
    'OTLP JSON by JSON.parse, to objects': measure(json, durationMillis, () => JSON.parse(json.toString())),
  }
  return medianRows(await interleaved(variants, runs))
}

function bodyOf(protocol: Protocol): Buffer {
  const body = Buffer.from(encodeBody(protocol, RECORDS, randomIdPrefix()))
  new Markers(protocol, body, RECORDS).overwrite(body, 0, 1, RECEIVED_AT_MICROS)
  return body
}

function measure(body: Uint8Array, durationMillis: number, decodeOnce: () => unknown): () => Promise<Row> {
  return async () => {
    repeat(decodeOnce, WARM_UP_MILLIS)
    const cpu = process.cpuUsage()
    const times = repeat(decodeOnce, durationMillis)
    const { user, system } = process.cpuUsage(cpu)
    const cpuSeconds = (user + system) / 1e6
    return {
      'bytes a record': Math.round(body.byteLength / RECORDS),
      'records a CPU-second': Math.round((times * RECORDS) / cpuSeconds),
    }
  }
}

function repeat(work: () => unknown, durationMillis: number): number {
  const endsAt = performance.now() + durationMillis
  let times = 0
  for (; performance.now() < endsAt; times++) work()
  return times
}

if (import.meta.main) console.log(formatTable(await run({})))
