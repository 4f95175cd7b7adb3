import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { commandLine } from '../command-line.ts'
import { buildOnce, goTool, has, runIn, shortHash } from '../tools.ts'

const MANIFEST_PATH = join(import.meta.dirname, 'builder.yaml')
const BUILDER = 'go.opentelemetry.io/collector/cmd/builder'

/**
 * The path of a real OpenTelemetry Collector with the components of builder.yaml: `OTELCOL_BIN` if set, else
 * one that is built on first use (a few minutes) and cached by version and components.
 */
export async function collectorPath(): Promise<string> {
  if (process.env.OTELCOL_BIN) return process.env.OTELCOL_BIN
  const manifest = await readFile(MANIFEST_PATH, 'utf8')
  const version = /^ {2}version: (\S+)$/m.exec(manifest)?.[1]
  if (!version) throw new Error(`${MANIFEST_PATH} names no dist.version`)
  return buildOnce(`otelcol-${version}-${shortHash(manifest)}`, async (folder) => {
    if (!has('go')) throw new Error(NEEDS_GO)
    await runIn(folder, await goTool('builder', BUILDER, `v${version}`), [
      `--config=${MANIFEST_PATH}`,
      '--skip-get-modules',
      '--skip-compilation',
    ])
    // Not the builder's own `go mod tidy`: it also fetches whatever the components' tests import.
    const source = join(folder, 'otelcol')
    const modules = [...manifest.matchAll(/gomod: (\S+) (\S+)/g)].map(([, path, tag]) => `${path}@${tag}`)
    await runIn(source, 'go', ['mod', 'init', 'otelcol'])
    await runIn(source, 'go', ['get', `go.opentelemetry.io/collector/otelcol@v${version}`, ...modules])
    await runIn(source, 'go', ['build', '-mod=mod', '-trimpath', '-ldflags=-s -w', '-o', 'otelcol'])
    return join(source, 'otelcol')
  })
}

export const NEEDS_GO =
  'no OpenTelemetry Collector: install Go (https://go.dev/dl) to have one built, or set OTELCOL_BIN, or start Docker'

if (import.meta.main) {
  commandLine(
    'npm run collector\n\nBuilds the OpenTelemetry Collector of the tests once, and prints its path.\n',
    {},
  )
  console.log(await collectorPath())
}
