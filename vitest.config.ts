import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

// Vitest hands them to Node too, for require() as well as for import: 'import' among them would break CommonJS.
const conditions = ['@agentic-hooks/source', 'node']

const project = (root: string) => ({
  extends: true as const,
  test: { name: root, root, include: ['test/**/*.test.ts'] },
})

export default defineConfig({
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    projects: [
      ...[
        'durable-files',
        'events',
        'exporters/jsonl',
        'exporters/postgres',
        'instrumentation',
        'receiver',
        'bench',
      ].map(project),
      {
        extends: true,
        test: {
          name: 'system-tests',
          root: 'system-tests',
          include: ['{abuse,agent-chaos,chaos,conformance,docs,fuzz,public-surface,readme}/**/*.test.ts'],
        },
      },
    ],
    // Most tests wait for processes: two at a time also where there are only two cores.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    setupFiles: [join(import.meta.dirname, 'testing/src/patience.ts')],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
