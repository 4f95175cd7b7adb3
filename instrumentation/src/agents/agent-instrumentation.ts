import {
  InstrumentationBase,
  type InstrumentationConfig,
  InstrumentationNodeModuleDefinition,
  InstrumentationNodeModuleFile,
} from '@opentelemetry/instrumentation'
import { capturesContent, isInstrumented } from '../options/environment.ts'
import type { SessionIdResolver } from '../options/types.ts'
import { warnOnce } from './error.ts'
import { LoggerEmitter } from './logger-emitter.ts'
import { AgentRecorder, type Emitter } from './recorder.ts'
import { version } from './version.ts'

export interface AgentInstrumentationConfig extends InstrumentationConfig {
  /**
   * Whether events carry prompts, answers, tool inputs and outputs. Default: as the environment says
   * (AGENTIC_HOOKS_CAPTURE_CONTENT, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT), else true.
   */
  captureContent?: boolean
  /**
   * Names the session of each call. Default: the module that AGENTIC_HOOKS_SESSION_RESOLVER names, else the
   * library's own conversation id, else the process's session.
   */
  sessionId?: SessionIdResolver
  /**
   * Where events go while the application has no OpenTelemetry LoggerProvider, for example a HookClient.
   * Default: nowhere, as with every OpenTelemetry instrumentation.
   */
  emitter?: Emitter
}

/** A module of the library to patch, as {@link InstrumentationBase} finds it. */
export interface PatchedModule {
  /** The package. */
  readonly name: string
  /** The first version that is patched; there is no last. */
  readonly since: string
  /** The newest major that the tests ran with. A newer one is tried, with a warning. */
  readonly testedMajor: number
  /** Files within the package, as in `dist/index.mjs`: those of both formats. */
  readonly files: readonly string[]
  /** Whether these are what the package's name stands for. */
  readonly isMain?: boolean
  /** The exported function that the patch replaces; without one it changes what the exports hold. */
  readonly replaces?: string
  /** Returns other exports where these could not be changed. */
  readonly patch: (exports: never) => unknown
}

/**
 * The base of every library's instrumentation. It may be used alone in `NodeSDK({ instrumentations })` or by the
 * preload; when both are there, a library is patched once and the one enabled first reports.
 */
export abstract class AgentInstrumentation extends InstrumentationBase<AgentInstrumentationConfig> {
  #recorder: AgentRecorder | undefined
  #recorderConfig: AgentInstrumentationConfig | undefined

  constructor(framework: string, config: AgentInstrumentationConfig = {}) {
    super(`${NAME_PREFIX}${framework}`, version, config)
  }

  /** The library, as switches and events call it. */
  get framework(): string {
    return this.instrumentationName.slice(NAME_PREFIX.length)
  }

  get recorder(): AgentRecorder {
    const config = this.getConfig()
    if (this.#recorder && this.#recorderConfig === config) return this.#recorder
    const { captureContent = capturesContent(this.framework), sessionId, emitter } = config
    this.#recorderConfig = config
    this.#recorder = new AgentRecorder({
      framework: this.framework,
      emitter: new LoggerEmitter(() => this.logger, this.instrumentationName, emitter),
      captureContent,
      resolveSessionId: sessionId,
    })
    return this.#recorder
  }

  /** What to patch; none for a library with an extension point of its own. */
  abstract modules(): readonly PatchedModule[]

  // Runs inside the base's constructor: no private member of this class exists yet.
  protected override init(): InstrumentationNodeModuleDefinition[] {
    return this.modules().map(definition)
  }

  /** Does nothing where the environment switches the library off. */
  override enable(): void {
    if (!isInstrumented(this.framework)) return
    const enabled = enabledInstrumentations(this.framework)
    if (!enabled.includes(this)) enabled.push(this)
    super.enable()
  }

  /** Patches stay, and let every call through. */
  override disable(): void {
    const enabled = enabledInstrumentations(this.framework)
    const index = enabled.indexOf(this)
    if (index >= 0) enabled.splice(index, 1)
    super.disable()
  }
}

const NAME_PREFIX = '@agentic-hooks/instrumentation/'

// One per process, so that a patch made by one copy of this package finds an instrumentation of another.
const ENABLED = Symbol.for('agentic-hooks.enabled-instrumentations')
const globals = globalThis as { [ENABLED]?: Map<string, AgentInstrumentation[]> }

function enabledInstrumentations(framework: string): AgentInstrumentation[] {
  globals[ENABLED] ??= new Map()
  const enabled = globals[ENABLED].get(framework) ?? []
  globals[ENABLED].set(framework, enabled)
  return enabled
}

/** Who reports on a library, or undefined: then its patches let every call through. */
export function activeRecorder(framework: string): AgentRecorder | undefined {
  return globals[ENABLED]?.get(framework)?.[0]?.recorder
}

function warnOfNewMajor({ name, testedMajor }: PatchedModule, moduleVersion: string): void {
  process.emitWarning(
    `${name} ${moduleVersion} is newer than ${testedMajor}.x, which its instrumentation was tested with; some events may be missing.`,
    { type: 'AgenticHooksWarning' },
  )
}

/** A module can come by two ways, OpenTelemetry's hooks and the preload's. */
const patched = new WeakSet<object>()

/** Patches what a module exports; it stays as it is where that fails. */
export function tryPatch(
  module: PatchedModule,
  exports: unknown,
  moduleVersion: string | undefined,
): unknown {
  if (moduleVersion === undefined || !isAtLeast(moduleVersion, module.since)) return exports
  try {
    if (patched.has(exports as object)) return exports
    patched.add(exports as object)
    if (Number.parseInt(moduleVersion, 10) > module.testedMajor) warnOfNewMajor(module, moduleVersion)
    return module.patch(exports as never) ?? exports
  } catch (error) {
    warnOnce(error)
    return exports
  }
}

function isAtLeast(version: string, since: string): boolean {
  const parts = version.split('.').map((part) => Number.parseInt(part, 10))
  const wanted = since.split('.').map(Number)
  const different = wanted.findIndex((part, index) => parts[index] !== part)
  return different < 0 || parts[different]! > wanted[different]!
}

function definition(module: PatchedModule): InstrumentationNodeModuleDefinition {
  const { name, files, isMain } = module
  const since = `>=${module.since}`
  const patch = (exports: unknown, moduleVersion?: string) => tryPatch(module, exports, moduleVersion)
  if (isMain) return new InstrumentationNodeModuleDefinition(name, [since], patch)
  const patchedFiles = files.map(
    (file) => new InstrumentationNodeModuleFile(`${name}/${file}`, [since], patch, () => {}),
  )
  return new InstrumentationNodeModuleDefinition(name, [since], undefined, undefined, patchedFiles)
}
