import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { collectorVersion } from '@agentic-hooks/testing/collector/collector'
import { describe, expect, it } from 'vitest'
import { compare, toPage } from '../../conformance/main.ts'
import { MISSING } from '../peers.ts'

const read = (path: string) => readFile(join(import.meta.dirname, '../../..', path), 'utf8')

describe('the documentation', () => {
  it('shows the Python code that the tests run', async () => {
    const [page, script] = await Promise.all([
      read('docs/evidence/interop.md'),
      read('system-tests/interop/peers/emit.py'),
    ])
    const snippet = /```python\n([\s\S]+?)```/.exec(page)![1]!
    expect(script).toContain(snippet.trimEnd())
  })

  it.skipIf(MISSING.collector || process.env.OTELCOL_BIN)(
    'says of both servers what they answer today',
    async () => {
      const comparisons = await compare()
      expect(comparisons.filter(({ receiver }) => !receiver.keeps)).toEqual([])
      expect(await read('docs/evidence/conformance.md')).toBe(toPage(comparisons, await collectorVersion()))
    },
  )
})
