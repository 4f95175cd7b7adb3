import {
  claudeCode,
  decodeHook,
  decodeOtlpJson,
  decodeOtlpProtobuf,
  decodeRestBatch,
} from '@agentic-hooks/receiver/decode'
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
const HOOK = Buffer.from(
  JSON.stringify({
    session_id: '00dce120-a259-44b5-bebd-43a8ec4c8ee1',
    transcript_path: '/home/dev/.claude/projects/importer/00dce120-a259-44b5-bebd-43a8ec4c8ee1.jsonl',
    cwd: '/workspace/importer',
    permission_mode: 'default',
    hook_event_name: 'PostToolUse',
    tool_name: 'Bash',
    tool_use_id: 'toolu_01HuyhCBKuYb18ZeCpBwn5Hv',
    tool_input: { command: 'npm test -- --run import', description: 'Run the tests of the import' },
    tool_response: { stdout: ' 12 passed (12)\n', stderr: '', interrupted: false, isImage: false },
    duration_ms: 1834,
  }),
)
const readHook = decodeHook(claudeCode)

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
    'a hook of Claude Code': measure(HOOK, durationMillis, () => readHook(HOOK, RECEIVED_AT_MICROS), 1),
    'OTLP protobuf by protobufjs, to objects': measure(protobuf, durationMillis, () => decode(protobuf)),
    'the same, mapped to events': measure(protobuf, durationMillis, () =>
      expectedEvents(protobuf, RECEIVED_AT_MICROS),
    ),
    'OTLP JSON by JSON.parse, to objects': measure(json, durationMillis, () => JSON.parse(json.toString())),
    'REST batch by JSON.parse, to objects': measure(rest, durationMillis, () => JSON.parse(rest.toString())),
    'a hook by JSON.parse, to objects': measure(HOOK, durationMillis, () => JSON.parse(HOOK.toString()), 1),
  }
  return medianRows(await interleaved(variants, runs))
}

function bodyOf(protocol: Protocol): Buffer {
  const body = Buffer.from(encodeBody(protocol, RECORDS, randomIdPrefix()))
  new Markers(protocol, body, RECORDS).overwrite(body, 0, 1, RECEIVED_AT_MICROS)
  return body
}

function measure(
  body: Uint8Array,
  durationMillis: number,
  decodeOnce: () => unknown,
  records = RECORDS,
): () => Promise<Row> {
  return async () => {
    repeat(decodeOnce, WARM_UP_MILLIS)
    const cpu = process.cpuUsage()
    const times = repeat(decodeOnce, durationMillis)
    const { user, system } = process.cpuUsage(cpu)
    const cpuSeconds = (user + system) / 1e6
    return {
      'bytes a record': Math.round(body.byteLength / records),
      'records a CPU-second': Math.round((times * records) / cpuSeconds),
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
