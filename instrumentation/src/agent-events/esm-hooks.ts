import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { type AgentInstrumentation, type PatchedModule, tryPatch } from './agent-instrumentation.ts'

/** Marks the URL of a module that stands before another one and replaces one of its exports. */
const FACADE = '?agentic-hooks'
const PATCH = Symbol.for('agentic-hooks.patch-es-module')

interface Target {
  readonly module: PatchedModule
  readonly packageUrl: string
}

/**
 * Patches ES modules as they are loaded. A listed file gets a last line that hands its exports over as soon as
 * they are complete; a file with an export to replace gets a facade instead. No other module is touched, and none
 * is parsed: the loader of import-in-the-middle, which OpenTelemetry offers for this, reads the exports of every
 * module that it wraps and took a third of the whole start-up budget (docs/decisions/0070).
 */
export function hookEsModules(instrumentations: readonly AgentInstrumentation[]): void {
  const modules = instrumentations.flatMap((instrumentation) => instrumentation.modules())
  const byFile = new Map(modules.flatMap((module) => filesOf(module).map((file) => [file, module] as const)))
  if (!supportsLoadHooks() || byFile.size === 0) return

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
    resolve(specifier, context, nextResolve) {
      const result = nextResolve(specifier, context)
      const isRequire = context.conditions?.includes('require')
      if (isRequire || context.parentURL?.endsWith(FACADE) || !find(result.url)?.module.replaces)
        return result
      return { ...result, url: result.url + FACADE, format: 'module', shortCircuit: true }
    },
    load(url, context, nextLoad) {
      if (url.endsWith(FACADE)) {
        const original = url.slice(0, -FACADE.length)
        const source = facadeOf(original, find(original)!.module.replaces!)
        return { format: 'module', source, shortCircuit: true }
      }
      const result = nextLoad(url, context)
      const target = result.format === 'module' && result.source ? find(url) : undefined
      if (!target || target.module.replaces) return result
      return { ...result, source: textOf(result.source!) + handOver(url) }
    },
  })
}

const NODE_MODULES = '/node_modules/'

function filesOf({ name, files, esmEntry }: PatchedModule): string[] {
  return (files ?? (esmEntry ? [esmEntry] : [])).map((file) => `${name}/${file}`)
}

function versionOf({ packageUrl }: Target): string | undefined {
  return JSON.parse(readFileSync(fileURLToPath(`${packageUrl}/package.json`), 'utf8')).version
}

function textOf(source: string | ArrayBuffer | NodeJS.TypedArray): string {
  return typeof source === 'string' ? source : new TextDecoder().decode(source)
}

const PATCHER = `globalThis[Symbol.for(${JSON.stringify(PATCH.description)})]`

function handOver(url: string): string {
  const quoted = JSON.stringify(url)
  return `\n;import * as agenticHooksExports from ${quoted}; ${PATCHER}(${quoted}, agenticHooksExports)`
}

function facadeOf(url: string, name: string): string {
  const quoted = JSON.stringify(url)
  return `import * as original from ${quoted}
export * from ${quoted}
export const { ${name} } = ${PATCHER}(${quoted}, { ...original })`
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
