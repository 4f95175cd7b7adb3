import { defineConfig } from 'vitest/config'
import interop from '../interop/vitest.config.ts'

/** `npm run test:containers`: the image and the compose files on a real Docker engine. */
export default defineConfig({
  ...interop,
  test: {
    ...interop.test,
    name: 'containers',
    include: ['containers/**/*.test.ts'],
    globalSetup: './containers/setup.ts',
    testTimeout: 300_000,
    hookTimeout: 600_000,
  },
})
