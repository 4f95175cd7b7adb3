import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SinkExporter } from '@agentic-hooks/events/testing'
import { collectorVersion, startCollector } from '@agentic-hooks/testing/collector/collector'
import { commandLine } from '@agentic-hooks/testing/command-line'
import { type HttpAnswer, send } from '@agentic-hooks/testing/http'
import { startTestReceiver } from '@agentic-hooks/testing/in-process-receiver'
import { decodeLogsResponse, decodeStatus } from '@agentic-hooks/testing/otlp'
import { CASES, type ConformanceCase, MAX_BODY_BYTES, type Storage } from './cases.ts'
import { assertKeeps } from './check.ts'

/*
 * Sends every case of the receiver's conformance test to the receiver and to a real Collector, and writes what
 * both answer into docs/evidence/conformance.md (`npm run conformance`).
 */

/** The event type that the storage of the cases rejects. */
const POISON = 'poison'
const PAGE = join(import.meta.dirname, '../..', 'docs', 'evidence', 'conformance.md')

/** A server under test, and what has become durable behind it. */
interface Server {
  readonly url: string
  readonly sink: SinkExporter
}

/** What a server answered to one case. */
export interface Verdict {
  readonly keeps: boolean
  readonly answer: string
}

export interface Comparison {
  readonly rule: string
  readonly receiver: Verdict
  readonly collector: Verdict
}

export async function compare(): Promise<Comparison[]> {
  const comparisons: Comparison[] = []
  for (const storage of ['works', 'fails', 'rejects'] as const) {
    await using behindReceiver = await receiverOver(storage)
    await using behindCollector = await receiverOver(storage)
    await using collector = await startCollector({
      receiverUrl: behindCollector.url,
      overlays: SYNCHRONOUS,
    })
    const collectorServer = { url: collector.url, sink: behindCollector.sink }
    for (const conformanceCase of CASES.filter((each) => (each.storage ?? 'works') === storage)) {
      comparisons.push({
        rule: conformanceCase.rule,
        receiver: await judge(behindReceiver, conformanceCase),
        collector: await judge(collectorServer, conformanceCase),
      })
    }
  }
  return comparisons
}

/**
 * The same limit as the receiver's, and neither queue nor retries: the Collector answers once it knows what
 * became of the events, as the receiver does.
 */
const SYNCHRONOUS = [
  `yaml:receivers::otlp::protocols::http::max_request_body_size: ${MAX_BODY_BYTES}`,
  'yaml:exporters::otlp_http::sending_queue::enabled: false',
  'yaml:exporters::otlp_http::retry_on_failure::enabled: false',
]

async function receiverOver(storage: Storage) {
  const sink = new SinkExporter()
  if (storage === 'fails') sink.fail()
  if (storage === 'rejects') sink.reject(({ eventType }) => (eventType === POISON ? 'is poison' : null))
  const receiver = await startTestReceiver([sink], {
    MAX_BODY_BYTES: String(MAX_BODY_BYTES),
    EXPORT_RETRY_MILLIS: '0',
  })
  return { ...receiver, sink }
}

async function judge(
  { url, sink }: Server,
  { storage = 'works', request, expected }: ConformanceCase,
): Promise<Verdict> {
  const before = sink.calls.length
  const answer = await send(url, request).catch((error: Error) => error)
  if (answer instanceof Error) return { keeps: false, answer: `no answer (${answer.message})` }
  const events = sink.calls.slice(before).flatMap((batch) => batch.events)
  const stored = storage === 'fails' ? 0 : events.filter(({ eventType }) => eventType !== POISON).length
  const keeps = stored === expected.stored && isKept(() => assertKeeps(answer, expected))
  return { keeps, answer: describe(answer, stored) }
}

function isKept(assert: () => void): boolean {
  try {
    assert()
    return true
  } catch {
    return false
  }
}

/** What of an answer is the same every time. */
function describe({ status, headers, body }: HttpAnswer, stored: number): string {
  const type = headers['content-type'] ?? 'no Content-Type'
  const notes = [
    type.replace('application/', ''),
    describeBody(status, type, body),
    ...(headers['retry-after'] ? ['Retry-After'] : []),
    ...(headers.allow ? [`Allow: ${headers.allow}`] : []),
    ...(stored ? [`${stored} stored`] : []),
  ]
  return `${status}: ${notes.join(', ')}`
}

function describeBody(status: number, type: string, body: Buffer): string {
  if (body.byteLength === 0) return 'empty'
  const isJson = type.startsWith('application/json')
  if (!isJson && !type.startsWith('application/x-protobuf')) return 'text'
  if (status >= 400) return `Status ${(isJson ? JSON.parse(body.toString()) : decodeStatus(body)).code}`
  const { partialSuccess } = isJson ? JSON.parse(body.toString()) : decodeLogsResponse(body)
  if (!partialSuccess) return '`{}`'
  return partialSuccess.rejectedLogRecords
    ? `partial_success of ${partialSuccess.rejectedLogRecords}`
    : EMPTY_PARTIAL
}

const EMPTY_PARTIAL = 'an empty partial_success'

export function toPage(comparisons: readonly Comparison[], version: string): string {
  const collectorKeeps = comparisons.filter(({ collector }) => collector.keeps).length
  const isHarmless = ({ receiver, collector }: Comparison) =>
    collector.answer === receiver.answer.replace(/`\{\}`|empty/, EMPTY_PARTIAL)
  const harmless = comparisons.filter(isHarmless).length
  const cell = (comparison: Comparison) => {
    const { keeps, answer } = comparison.collector
    return keeps ? 'the same' : isHarmless(comparison) ? answer : `**${answer}**`
  }
  const rows = comparisons.map(
    (comparison) => `| ${comparison.rule} | ${comparison.receiver.answer} | ${cell(comparison)} |`,
  )
  return `# Conformance to OTLP/HTTP

Every rule below is a case of \`system-tests/conformance/cases.ts\`; the test that shows it has the same name in
\`system-tests/conformance/otlp-http.test.ts\`. \`npm run conformance\` sends each case to the receiver and to a real
OpenTelemetry Collector, ${version}, and writes this page; \`npm run test:interop\` fails when it is out of date.

The Collector runs with the same limit on bodies, and without its queue: so it can tell what became of the events,
which it forwards to a receiver like ours. With its queue, as it is configured by default, it answers 200 before
anything is stored, also where storage fails.

Of ${comparisons.length} rules the receiver keeps ${comparisons.filter(({ receiver }) => receiver.keeps).length} and the Collector ${collectorKeeps}. In ${harmless} more it sets partial_success, empty,
where the specification wants it unset: no client minds. The rest is in bold. "Status 3" is a google.rpc.Status
with that code, in the encoding that the answer's Content-Type names.

| Rule | The receiver | The Collector |
|---|---|---|
${rows.join('\n')}
`
}

if (import.meta.main) {
  commandLine(
    'npm run conformance\n\nWrites docs/evidence/conformance.md: what the receiver and a real Collector answer.\n',
    {},
  )
  await writeFile(PAGE, toPage(await compare(), await collectorVersion()))
}
