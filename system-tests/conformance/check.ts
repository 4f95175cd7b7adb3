import assert from 'node:assert/strict'
import type { HttpAnswer } from '@agentic-hooks/testing/http'
import { decodeLogsResponse, decodeStatus } from '@agentic-hooks/testing/otlp'
import type { Expected } from './cases.ts'

/**
 * Whether an answer keeps the rule.
 * @throws AssertionError that says what is wrong with it
 */
export function assertKeeps(answer: HttpAnswer, expected: Expected): void {
  assert.equal(answer.status, expected.status)
  assert.equal(answer.headers['content-type'], expected.encoding)
  for (const [name, pattern] of Object.entries(expected.headers ?? {})) {
    assert.match(String(answer.headers[name]), pattern)
  }
  const isJson = expected.encoding === 'application/json'
  switch (expected.body) {
    case 'success':
      assert.equal(answer.body.toString(), isJson ? '{}' : '')
      break
    case 'partial success': {
      const { partialSuccess } = isJson ? JSON.parse(answer.body.toString()) : decodeLogsResponse(answer.body)
      assert.equal(partialSuccess.rejectedLogRecords, '1')
      assert.notEqual(partialSuccess.errorMessage ?? '', '')
      break
    }
    case 'status': {
      const status = isJson ? JSON.parse(answer.body.toString()) : decodeStatus(answer.body)
      assert.equal(typeof status.code, 'number')
      assert.notEqual(status.message ?? '', '')
    }
  }
}
