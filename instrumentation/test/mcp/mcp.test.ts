import { describeLibrary } from '../register/library.ts'
import { expected } from './expected.ts'

describeLibrary('mcp', new URL('./', import.meta.url), expected, { AGENTIC_HOOKS_SESSION_ID: 'client' })
