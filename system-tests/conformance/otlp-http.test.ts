import { SinkExporter } from '@agentic-hooks/events/testing'
import { send } from '@agentic-hooks/testing/http'
import { startTestReceiver } from '@agentic-hooks/testing/in-process-receiver'
import { describe, expect, it } from 'vitest'
import { CASES, MAX_BODY_BYTES, type Storage } from './cases.ts'
import { assertKeeps } from './check.ts'

describe('POST /v1/logs, by the rules of OTLP/HTTP', () => {
  it.each(CASES)('$rule', async ({ storage = 'works', request, expected }) => {
    const sink = sinkThat(storage)
    await using receiver = await startTestReceiver([sink], {
      MAX_BODY_BYTES: String(MAX_BODY_BYTES),
      EXPORT_RETRY_MILLIS: '0',
    })
    assertKeeps(await send(receiver.url, request), expected)
    expect(sink.records).toHaveLength(expected.stored)
  })
})

function sinkThat(storage: Storage): SinkExporter {
  const sink = new SinkExporter()
  if (storage === 'fails') sink.fail()
  if (storage === 'rejects') sink.reject(({ eventType }) => (eventType === 'poison' ? 'is poison' : null))
  return sink
}
