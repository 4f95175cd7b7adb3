import {
  AgentInstrumentation,
  type AgentInstrumentationConfig,
  type PatchedModule,
} from '../../agents/agent-instrumentation.ts'
import { patchClient } from './client.ts'
import { onRequire } from './require.ts'
import { patchServer } from './server.ts'

interface Exports {
  readonly Client?: { readonly prototype: object }
  readonly Server?: { readonly prototype: object }
}

const CLIENT = { patch: ({ Client }: Exports) => patchClient(Client?.prototype) }
const SERVER = { patch: ({ Server }: Exports) => patchServer(Server?.prototype) }

let hooked = false

/**
 * Model Context Protocol, `@modelcontextprotocol/sdk` from 1.0, `client` and `server` from 2.0: patches the client's
 * `callTool` and the server's `setRequestHandler`, and reports tool calls from the side that sees them first.
 */
export class McpInstrumentation extends AgentInstrumentation {
  constructor(config?: AgentInstrumentationConfig) {
    super('mcp', config)
  }

  override modules(): PatchedModule[] {
    const sdk = { name: '@modelcontextprotocol/sdk', since: '1.0.0', testedMajor: 1 }
    const two = { since: '2.0.0', testedMajor: 2, files: ['dist/index.mjs', 'dist/index.cjs'], isMain: true }
    return [
      { ...sdk, files: ['dist/esm/client/index.js', 'dist/cjs/client/index.js'], ...CLIENT },
      { ...sdk, files: ['dist/esm/server/index.js', 'dist/cjs/server/index.js'], ...SERVER },
      { name: '@modelcontextprotocol/client', ...two, ...CLIENT },
      { name: '@modelcontextprotocol/server', ...two, ...SERVER },
    ]
  }

  override enable(): void {
    super.enable()
    if (hooked) return
    hooked = true
    // The base looks modules up by their package's main entry, which the CommonJS half of this package lacks.
    onRequire('@modelcontextprotocol/sdk/dist/cjs/client', (exports: Exports) => CLIENT.patch(exports))
    onRequire('@modelcontextprotocol/sdk/dist/cjs/server', (exports: Exports) => SERVER.patch(exports))
  }
}
