import { defineConfig } from 'vitest/config'

// As in the project's own configuration: workspaces resolve to their sources.
const conditions = ['@agentic-hooks/source', 'node']

/** `npm run test:interop`: against peers that no one here wrote, so not part of `npm test`. */
export default defineConfig({
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    root: import.meta.dirname,
    name: 'interop',
    include: ['test/**/*.test.ts'],
    globalSetup: './setup.ts',
    // Each file drives several processes of its own.
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
})
