import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HookClient } from '@agentic-hooks/instrumentation'
import { startCollector } from '@agentic-hooks/testing/collector/collector'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { MISSING } from '../peers.ts'

interface KeyValue {
  key: string
  value: unknown
}

interface OtlpLine {
  resourceLogs: {
    resource: { attributes: KeyValue[] }
    scopeLogs: { scope: { name: string }; logRecords: Record<string, unknown>[] }[]
  }[]
}

describe.skipIf(MISSING.collector)('HookClient -> Collector -> file exporter', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'agentic-hooks-file-'))
  })
  afterEach(() => rm(directory, { recursive: true }))

  it.each(['http/protobuf', 'http/json'] as const)(
    'keeps every field of an event sent over %s',
    async (protocol) => {
      const path = join(directory, 'events.jsonl')
      await using collector = await startCollector({ overlays: toFile(path) })
      await using client = new HookClient({ endpoint: collector.url, protocol })
      client.emit({
        eventType: 'tool_execution_completed',
        sessionId: 'session-1',
        workflowId: 'workflow-1',
        phaseId: 'phase-1',
        milestoneId: 'milestone-1',
        eventId: '01938f4e-7c00-7000-8000-000000000001',
        timestamp: 1_795_361_760_123,
        data: {
          tool_name: 'Write',
          success: false,
          error: 'disk full',
          nested: { list: [1, 'two', null, { three: 3.5 }] },
          large: 2n ** 60n,
          text: 'tab\tnewline\nquote"\u{1F600}',
        },
      })
      expect(await client.flush()).toMatchObject({ delivered: 1, dropped: 0 })

      const { resource, scope, record } = await vi.waitFor(() => onlyRecord(path), { timeout: 10_000 })
      expect(keys(resource.attributes)).toEqual(
        expect.arrayContaining(['service.name', 'service.instance.id', 'process.pid', 'host.name']),
      )
      expect(scope.name).toBe('@agentic-hooks/instrumentation')
      expect(record).toMatchObject({
        eventName: 'agentic_hooks.tool_execution_completed',
        timeUnixNano: '1795361760123000000',
        severityNumber: 17,
        body: { stringValue: expect.stringContaining('Write') },
      })
      const attributes = Object.fromEntries(
        (record.attributes as KeyValue[]).map(({ key, value }) => [key, value]),
      )
      expect(attributes).toMatchObject({
        'log.record.uid': { stringValue: '01938f4e-7c00-7000-8000-000000000001' },
        'session.id': { stringValue: 'session-1' },
        'gen_ai.conversation.id': { stringValue: 'session-1' },
        'agentic_hooks.workflow.id': { stringValue: 'workflow-1' },
        'agentic_hooks.phase.id': { stringValue: 'phase-1' },
        'agentic_hooks.milestone.id': { stringValue: 'milestone-1' },
        'gen_ai.tool.name': { stringValue: 'Write' },
        'agentic_hooks.data': {
          kvlistValue: {
            values: [
              { key: 'tool_name', value: { stringValue: 'Write' } },
              { key: 'success', value: { boolValue: false } },
              { key: 'error', value: { stringValue: 'disk full' } },
              {
                key: 'nested',
                value: {
                  kvlistValue: {
                    values: [
                      {
                        key: 'list',
                        value: {
                          arrayValue: {
                            values: [
                              { intValue: '1' },
                              { stringValue: 'two' },
                              {},
                              { kvlistValue: { values: [{ key: 'three', value: { doubleValue: 3.5 } }] } },
                            ],
                          },
                        },
                      },
                    ],
                  },
                },
              },
              { key: 'large', value: { intValue: '1152921504606846976' } },
              { key: 'text', value: { stringValue: 'tab\tnewline\nquote"\u{1F600}' } },
            ],
          },
        },
      })
    },
  )
})

/** Instead of forwarding, the Collector writes OTLP JSON to a file. */
function toFile(path: string): string[] {
  return [
    `yaml:exporters::file::path: ${path}`,
    'yaml:exporters::file::flush_interval: 50ms',
    'yaml:service::pipelines::logs::exporters: [file]',
  ]
}

async function onlyRecord(path: string) {
  const lines = (await readFile(path, 'utf8')).trim().split('\n')
  expect(lines).toHaveLength(1)
  const [{ resource, scopeLogs }] = (JSON.parse(lines[0]!) as OtlpLine).resourceLogs as [
    OtlpLine['resourceLogs'][0],
  ]
  expect(scopeLogs[0]!.logRecords).toHaveLength(1)
  return { resource, scope: scopeLogs[0]!.scope, record: scopeLogs[0]!.logRecords[0]! }
}

function keys(attributes: readonly KeyValue[]): string[] {
  return attributes.map(({ key }) => key)
}
