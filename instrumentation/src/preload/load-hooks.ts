import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { type AgentInstrumentation, type PatchedModule, tryPatch } from '../agents/agent-instrumentation.ts'

/** Marks the URL of a module that another one stands before, which replaces one of its exports. */
const BEHIND_FACADE = '?agentic-hooks'
const PATCH = Symbol.for('agentic-hooks.patch-module')

interface Target {
  readonly module: PatchedModule
  readonly packageUrl: string
}

/**
 * Patches modules, CommonJS and ES, as they are loaded. A listed file gets a last line that hands its exports over as
 * soon as they are complete; a file with an export to replace gets a facade instead. No other module is touched, and
 * none is parsed: what OpenTelemetry offers for this, import-in-the-middle and require-in-the-middle, asks about every
 * module, which took half of the start (docs/decisions/0070, 0090).
 */
export function hookModules(instrumentations: readonly AgentInstrumentation[]): void {
  const modules = instrumentations.flatMap((instrumentation) => instrumentation.modules())
  const byFile = new Map<string, PatchedModule>(
    modules.flatMap((module) => module.files.map((file) => [`${module.name}/${file}`, module] as const)),
  )
  if (byFile.size === 0) return
  if (!supportsLoadHooks()) throw new Error(`Node ${process.versions.node} is not supported`)

  const find = (url: string): Target | undefined => {
    const end = url.lastIndexOf('/node_modules/')
    if (end < 0 || !url.startsWith('file:')) return undefined
    const module = byFile.get(url.slice(end + NODE_MODULES.length))
    return module && { module, packageUrl: url.slice(0, end + NODE_MODULES.length + module.name.length) }
  }
  Object.defineProperty(globalThis, PATCH, {
    value: (url: string, exports: object) => {
      const target = find(url)
      return target ? tryPatch(target.module, exports, versionOf(target)) : exports
    },
  })
  registerHooks({
    // A hook for `resolve` as well would be asked about every import of the application.
    load(url, context, nextLoad) {
      const target = find(url)
      if (target?.module.replaces) {
        return { format: 'module', source: facadeOf(url, target.module.replaces), shortCircuit: true }
      }
      const result = nextLoad(url, context)
      if (!target || !result.source) return result
      // Node leaves the format of CommonJS open where the package does not say.
      const handOver = HAND_OVER[(result.format ?? 'commonjs') as keyof typeof HAND_OVER]
      return { ...result, source: textOf(result.source) + handOver(JSON.stringify(url)) }
    },
  })
}

const NODE_MODULES = '/node_modules/'

function versionOf({ packageUrl }: Target): string | undefined {
  return JSON.parse(readFileSync(fileURLToPath(`${packageUrl}/package.json`), 'utf8')).version
}

function textOf(source: string | ArrayBuffer | NodeJS.TypedArray): string {
  return typeof source === 'string' ? source : new TextDecoder().decode(source)
}

const PATCHER = `globalThis[Symbol.for(${JSON.stringify(PATCH.description)})]`

/** The last line of a file, by its format. */
const HAND_OVER = {
  commonjs: (url: string) => `\n;${PATCHER}(${url}, module.exports)`,
  module: (url: string) =>
    `\n;import * as agenticHooksExports from ${url}; ${PATCHER}(${url}, agenticHooksExports)`,
}

function facadeOf(url: string, name: string): string {
  const original = JSON.stringify(url + BEHIND_FACADE)
  return `import * as original from ${original}
export * from ${original}
export const { ${name} } = ${PATCHER}(${JSON.stringify(url)}, { ...original })`
}

/** Before these releases a load hook broke `require()` within ES modules (nodejs/node#59929). */
function supportsLoadHooks(): boolean {
  const [major = 0, minor = 0, patch = 0] = process.versions.node
    .split('.')
    .map((part) => Number.parseInt(part, 10))
  if (major === 22) return minor > 22 || (minor === 22 && patch >= 3)
  if (major === 24) return minor > 11 || (minor === 11 && patch >= 1)
  if (major === 25) return minor >= 1
  return major > 25
}
