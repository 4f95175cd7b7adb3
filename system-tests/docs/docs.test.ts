import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const pages = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path && existsSync(join(ROOT, path)))

/** The targets of the links of a page that point into this repository. */
function linksOf(page: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8').replaceAll(/^```[\s\S]*?^```/gm, '')
  return [...text.matchAll(/\]\(([^)\s#]+)(#[^)\s]*)?\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target))
}

describe('every link of the documentation leads to a file', () => {
  it.each(pages)('%s', (page) => {
    const broken = linksOf(page).filter((target) => !existsSync(join(ROOT, dirname(page), target)))
    expect(broken).toEqual([])
  })
})

it('lists every decision in the index of decisions', () => {
  const files = readdirSync(join(ROOT, 'docs/decisions')).filter((name) => /^\d/.test(name))
  const listed = linksOf('docs/decisions/README.md').filter((target) => /^\d/.test(target))
  expect([...new Set(listed)].sort()).toEqual(files.sort())
})

it('lists every page in the index of the documentation, or in the index of its folder', () => {
  const indexed = new Set(
    ['docs/README.md', 'docs/decisions/README.md', 'docs/extend/README.md'].flatMap((index) =>
      linksOf(index).map((target) => join(dirname(index), target)),
    ),
  )
  const missing = pages.filter(
    (page) => page.startsWith('docs/') && !page.endsWith('README.md') && !indexed.has(page),
  )
  expect(missing).toEqual([])
})

it('describes in the glossary only folders and files that are there', () => {
  const glossary = readFileSync(join(ROOT, 'docs/glossary.md'), 'utf8')
  const places = [...glossary.matchAll(/`([a-z-]+\/[\w./-]+)`/g)].map(([, place]) => place!)
  expect(places.length).toBeGreaterThan(10)
  expect(places.filter((place) => !existsSync(join(ROOT, place)))).toEqual([])
})
