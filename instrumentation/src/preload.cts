// The one CommonJS file: `--require` takes it, and so does `--import`. It never throws, whatever is wrong with an
// installation, and starts once per thread: NODE_OPTIONS and a flag may both name it.
const STARTED = Symbol.for('agentic-hooks.preload')
const globals = globalThis as { [STARTED]?: true }

if (!globals[STARTED]) {
  globals[STARTED] = true
  try {
    require(__filename.endsWith('.cts') ? './register.ts' : './register.js')
  } catch (error) {
    process.emitWarning('Hook events are off: the preload failed. The application is not affected.', {
      type: 'AgenticHooksWarning',
      detail: error instanceof Error ? error.stack : String(error),
    })
  }
}
