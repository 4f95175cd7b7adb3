import { expected as mcp } from '../../instrumentation/test/mcp/expected.ts'
import { describeLibrary } from '../../instrumentation/test/register/library.ts'
import { googleGenAi, langGraph } from './expected.ts'

const folder = (library: string) => new URL(`${library}/`, import.meta.url)
const client = { env: { AGENTIC_HOOKS_SESSION_ID: 'client' } }

describeLibrary('google-genai', folder('google-genai'), googleGenAi, client)
describeLibrary('langgraph', folder('langgraph'), langGraph)

// 2.x says the same in other words.
const words = (line: string) => line.replace(/MCP error -?\d+: /, '')
const mcp2 = Object.fromEntries(Object.entries(mcp).map(([session, events]) => [session, events.map(words)]))
describeLibrary('mcp 2', folder('mcp-2'), mcp2, client)
