import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commandLine } from '@agentic-hooks/testing/command-line'
import { freshClone, runPages } from './run.ts'

const PORT = 4318
const ROOT = join(import.meta.dirname, '../..')

commandLine(
  `npm run readme

Runs every command and snippet of README.md, and of the quick starts in docs/guide, in a fresh clone of HEAD: what is
not committed does not count. Takes half a minute more than npm ci. Skips when port ${PORT} is in use.
`,
  {},
)

if (await isFree(PORT)) {
  const folder = mkdtempSync(join(tmpdir(), 'readme-'))
  try {
    const clone = join(folder, 'agentic-hooks')
    await freshClone(ROOT, clone)
    await runPages(clone, ({ where, what, events, seconds }) =>
      console.log(
        `${where.padEnd(38)} ${seconds.toFixed(1).padStart(6)} s ${String(events).padStart(4)} events  ${what}`,
      ),
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
} else {
  console.log(`skipped: port ${PORT}, which README.md names, is in use; end that program and run it again`)
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
