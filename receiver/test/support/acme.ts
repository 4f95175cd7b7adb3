import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { EventRecord } from '@agentic-hooks/events'

const PACKAGE = fileURLToPath(new URL('acme-exporter', import.meta.url))
const run = promisify(execFile)

/** An application outside the repository that has installed the packed acme-exporter. */
export async function createApplication(): Promise<{ directory: string } & AsyncDisposable> {
  const root = await mkdtemp(join(tmpdir(), 'receiver-acme-'))
  const directory = join(root, 'application')
  await mkdir(directory)
  await writeFile(join(directory, 'package.json'), '{"name":"application","private":true}')
  await run('npm', ['pack', PACKAGE, '--pack-destination', root])
  const tarball = (await readdir(root)).find((name) => name.endsWith('.tgz'))
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', join(root, tarball!)], {
    cwd: directory,
  })
  return { directory, [Symbol.asyncDispose]: () => rm(root, { recursive: true }) }
}

/** What acme-exporter has written to a file. */
export async function readAcmeFile(path: string): Promise<EventRecord[]> {
  const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '')
  return lines.map((line) => {
    const { data, attributes, origin, ...rest } = JSON.parse(line)
    return {
      ...rest,
      data: toBytes(data),
      attributes: toBytes(attributes),
      origin: origin && { resource: toBytes(origin.resource), scope: toBytes(origin.scope) },
    }
  })
}

function toBytes(text: string | null): Uint8Array | null {
  return text === null ? null : Buffer.from(text)
}
