import { expected as ai } from '../../instrumentation/test/ai/expected.ts'
import { expected as anthropic } from '../../instrumentation/test/anthropic/expected.ts'
import { expected as langchain } from '../../instrumentation/test/langchain/expected.ts'
import { expected as mcp } from '../../instrumentation/test/mcp/expected.ts'
import { expected as openai } from '../../instrumentation/test/openai/expected.ts'
import { expected as openaiAgents } from '../../instrumentation/test/openai-agents/expected.ts'
import { describeLibrary, type Expected } from '../../instrumentation/test/register/library.ts'
import { nodeLines } from './node-lines.ts'

const folder = (library: string) => new URL(`agents/${library}/`, import.meta.url)
const CLIENT = { AGENTIC_HOOKS_SESSION_ID: 'client' }
const LIBRARIES: [library: string, expected: Expected, env: Record<string, string>][] = [
  ['ai', ai, {}],
  ['anthropic', anthropic, CLIENT],
  ['langchain', langchain, {}],
  ['mcp', mcp, CLIENT],
  ['openai', openai, CLIENT],
  ['openai-agents', openaiAgents, {}],
]

for (const { line, node } of nodeLines()) {
  for (const [library, expected, env] of LIBRARIES) {
    describeLibrary(`${library} on Node ${line}`, folder(library), expected, { env, node })
  }
}
