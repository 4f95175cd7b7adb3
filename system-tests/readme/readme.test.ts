import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { blocksOf, fileNameOf, npmScriptsOf, quickStartOf } from './blocks.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const readme = read('README.md')

describe('the README', () => {
  it('fits two screens', () => {
    expect(readme.trimEnd().split('\n').length).toBeLessThanOrEqual(78)
  })

  it('has no block that npm run readme would not understand', () => {
    const languages = new Set(blocksOf(readme).map(({ language }) => language))
    expect([...languages].sort()).toEqual(['json', 'sh', 'text', 'ts'])
  })

  it('starts a server before the first request to it', () => {
    const codes = blocksOf(readme).map(({ code }) => code)
    const start = codes.findIndex((code) => /^npm start$/m.test(code))
    expect(start).toBeGreaterThan(-1)
    expect(codes.findIndex((code) => code.startsWith('curl'))).toBeGreaterThan(start)
  })
})

describe('pages name only npm scripts that exist', () => {
  const scripts = Object.keys(JSON.parse(read('package.json')).scripts)
  const pages = ['README.md', 'CONTRIBUTING.md', 'docs/guide/client.md', 'docs/guide/auto-instrumentation.md']
  it.each([...pages, 'docs/operate/deployment.md', 'docs/evidence/performance.md'])('%s', (page) => {
    expect(npmScriptsOf(read(page)).filter((script) => !scripts.includes(script))).toEqual([])
  })
})

describe('the blocks of a page', () => {
  it('are the fenced and the indented ones, in order, with their lines', () => {
    const page = '# Title\n\n    npm ci\n    npm start\n\ntext\n\n```ts\n// agent.ts\nrun()\n```\n'
    expect(blocksOf(page)).toEqual([
      { line: 3, language: 'sh', code: 'npm ci\nnpm start' },
      { line: 9, language: 'ts', code: '// agent.ts\nrun()' },
    ])
  })

  it('do not include the indented lines of a list', () => {
    expect(blocksOf('- first\n\n    more of it\n')).toEqual([])
  })

  it('name the file of a snippet in its first line, or not at all', () => {
    const block = (code: string) => ({ line: 1, language: 'ts', code })
    expect(fileNameOf(block('// agent.ts, run by: npx node agent.ts\nrun()'))).toBe('agent.ts')
    expect(fileNameOf(block('// ../agent.ts\nrun()'))).toBeNull()
    expect(fileNameOf(block('run()'))).toBeNull()
  })

  it('of a quick start end before the first section', () => {
    expect(blocksOf(quickStartOf('    npm ci\n\n## More\n\n    npm test\n'))).toHaveLength(1)
  })
})
