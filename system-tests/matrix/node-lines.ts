import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

interface NodeLine {
  readonly line: string
  /** Undefined: the one that runs this. */
  readonly node: string | undefined
}

/** The supported lines of Node; those beside this one are installed for Linux on x64 only. */
export function nodeLines(): NodeLine[] {
  const lines: NodeLine[] = [{ line: process.versions.node, node: undefined }]
  for (const line of ['22', '26']) {
    const node = fileURLToPath(new URL(`node_modules/node-${line}/bin/node`, import.meta.url))
    if (existsSync(node)) lines.push({ line, node })
    else console.log(`Node ${line} is not tested: npm ci installs it in this folder on Linux with x64 only`)
  }
  return lines
}
