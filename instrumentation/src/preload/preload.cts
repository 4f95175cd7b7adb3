// The one CommonJS file: `--require` takes it, and so does `--import`. It never throws, whatever is wrong with an
// installation, and starts once per thread: NODE_OPTIONS and a flag may both name it.
const STARTED = Symbol.for('agentic-hooks.preload')
const globals = globalThis as { [STARTED]?: true }

if (!globals[STARTED]) {
  globals[STARTED] = true
  try {
    // A published package has it all in few files (scripts/bundle-preload.ts): reading hundreds takes longer than all
    // the rest of the start.
    require(__filename.endsWith('.cts') ? './register.ts' : './preload-register.cjs')
  } catch (error) {
    process.emitWarning('Hook events are off: the preload failed. The application is not affected.', {
      type: 'AgenticHooksWarning',
      detail: error instanceof Error ? error.stack : String(error),
    })
  }
}
