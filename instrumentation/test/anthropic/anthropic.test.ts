import { describeLibrary } from '../register/library.ts'
import { expected } from './expected.ts'

describeLibrary('anthropic', new URL('./', import.meta.url), expected, {
  env: { AGENTIC_HOOKS_SESSION_ID: 'client' },
})
