/** One code block of a page, in the order of the page. */
export interface Block {
  /** The first line of its code, counted from 1. */
  readonly line: number
  /** `sh` (also every indented block), `ts`, `js`, `json` or another language; empty when the fence names none. */
  readonly language: string
  readonly code: string
}

const FENCE = /^ {0,3}```(\S*)\s*$/
const INDENT = '    '

/** Every fenced and every indented code block of a Markdown page. An indented line of a list is not a block. */
export function blocksOf(markdown: string): Block[] {
  const lines = markdown.split('\n')
  const blocks: Block[] = []
  let index = 0
  while (index < lines.length) {
    const fence = FENCE.exec(lines[index]!)
    if (fence) {
      const end = lines.findIndex((line, at) => at > index && FENCE.test(line))
      const until = end === -1 ? lines.length : end
      blocks.push({ line: index + 2, language: fence[1]!, code: lines.slice(index + 1, until).join('\n') })
      index = until + 1
    } else if (lines[index]!.startsWith(INDENT) && isTopLevel(lines, index)) {
      const start = index
      while (index < lines.length && lines[index]!.startsWith(INDENT)) index++
      const code = lines.slice(start, index).map((line) => line.slice(INDENT.length))
      blocks.push({ line: start + 1, language: 'sh', code: code.join('\n') })
    } else {
      index++
    }
  }
  return blocks
}

/** The part of a guide that a newcomer runs: everything before the first section. */
export function quickStartOf(markdown: string): string {
  return markdown.split(/^## /m, 1)[0]!
}

/** The name that the first line of a snippet gives its file, as in `// agent.ts`. */
export function fileNameOf({ code }: Block): string | null {
  return /^\/\/ ([\w-]+\.[cm]?[jt]s)\b/.exec(code)?.[1] ?? null
}

/** The scripts of package.json that a page names, in prose as well: `npm start`, `npm test`, `npm run NAME`. */
export function npmScriptsOf(markdown: string): string[] {
  const named = [...markdown.matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)(?! -w| --prefix)/g)]
  return [...new Set(named.filter(([whole]) => whole).map(([, script, short]) => (script ?? short)!))]
}

function isTopLevel(lines: readonly string[], index: number): boolean {
  return (
    index === 0 || (lines[index - 1] === '' && !/^\s*(?:[-*]|\d+\.) |^ {2,}\S/.test(lines[index - 2] ?? ''))
  )
}
