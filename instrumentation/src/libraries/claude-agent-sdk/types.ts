/** The members of the SDK's options, hooks and messages that are read here. */
export interface HookInput {
  readonly hook_event_name: string
  readonly session_id?: string
  readonly agent_id?: string
  readonly agent_type?: string
  readonly prompt?: string
  readonly tool_name?: string
  readonly tool_input?: unknown
  readonly tool_response?: unknown
  readonly tool_use_id?: string
  readonly duration_ms?: number
  readonly error?: unknown
  readonly is_interrupt?: boolean
  readonly reason?: string
  readonly last_assistant_message?: string
  readonly transcript_path?: string
}

export interface HookOutput {
  readonly decision?: string
  readonly reason?: string
  readonly continue?: boolean
  readonly stopReason?: string
  readonly hookSpecificOutput?: {
    readonly permissionDecision?: string
    readonly permissionDecisionReason?: string
    readonly decision?: { readonly behavior?: string; readonly message?: string }
  }
}

export type HookCallback = (
  input: HookInput,
  toolUseId: string | undefined,
  ...rest: unknown[]
) => Promise<HookOutput | undefined>

export interface HookMatcher {
  readonly matcher?: string
  readonly hooks: readonly HookCallback[]
}

export interface PermissionResult {
  readonly behavior?: string
  readonly message?: string
}

export type CanUseTool = (
  toolName: string,
  input: unknown,
  options?: { readonly toolUseID?: string; readonly agentID?: string },
) => Promise<PermissionResult>

export interface Options {
  readonly hooks?: Readonly<Record<string, readonly HookMatcher[]>>
  readonly canUseTool?: CanUseTool
  readonly abortController?: AbortController
}

export interface PermissionDenial {
  readonly tool_name: string
  readonly tool_use_id: string
  readonly tool_input?: unknown
  readonly message?: string
}

export interface Message {
  readonly type: string
  readonly subtype?: string
  readonly session_id?: string
  /** system/init */
  readonly model?: string
  readonly cwd?: string
  readonly tools?: readonly string[]
  readonly permissionMode?: string
  readonly claude_code_version?: string
  /** result */
  readonly is_error?: boolean
  readonly result?: string
  readonly errors?: readonly string[]
  readonly stop_reason?: string | null
  readonly num_turns?: number
  readonly duration_ms?: number
  readonly duration_api_ms?: number
  readonly total_cost_usd?: number
  readonly usage?: Readonly<Record<string, number | null>>
  readonly modelUsage?: unknown
  readonly permission_denials?: readonly PermissionDenial[]
  /** system/permission_denied */
  readonly tool_name?: string
  readonly tool_use_id?: string
  readonly message?: unknown
}
