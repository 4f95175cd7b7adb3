import { expected as ai } from '../test/ai/expected.ts'
import { expected as anthropic } from '../test/anthropic/expected.ts'
import { expected as langchain } from '../test/langchain/expected.ts'
import { expected as mcp } from '../test/mcp/expected.ts'
import { expected as openai } from '../test/openai/expected.ts'
import { expected as openaiAgents } from '../test/openai-agents/expected.ts'
import { describeLibrary } from '../test/register/library.ts'

const folder = (library: string) => new URL(`agents/${library}/`, import.meta.url)
const client = { AGENTIC_HOOKS_SESSION_ID: 'client' }

describeLibrary('ai', folder('ai'), ai)
describeLibrary('anthropic', folder('anthropic'), anthropic, client)
describeLibrary('langchain', folder('langchain'), langchain)
describeLibrary('mcp', folder('mcp'), mcp, client)
describeLibrary('openai', folder('openai'), openai, client)
describeLibrary('openai-agents', folder('openai-agents'), openaiAgents)
