import { defineConfig } from 'vitest/config'

process.env.MATRIX = '1'

// `npm run test:matrix`: every agent library in its newest version, against the package as it is published.
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    globalSetup: ['global-setup.ts'],
  },
})
