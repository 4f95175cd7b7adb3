/** The members of the SDK's objects that are read here. */
export interface Agent {
  readonly name: string
  readonly model?: string | Model
}

export interface Tool {
  readonly name: string
}

export interface ToolCallItem {
  readonly callId?: string
  readonly id?: string
  readonly name?: string
  readonly arguments?: unknown
}

export interface Model {
  getResponse(request: ModelRequest): Promise<ModelResponse>
  getStreamedResponse(request: ModelRequest): AsyncIterable<StreamEvent>
}

export interface ModelProvider {
  getModel(name?: string): Promise<Model> | Model
}

export interface ModelRequest {
  readonly input: string | readonly InputItem[]
}

export interface InputItem {
  readonly type?: string
  readonly role?: string
  readonly content?: unknown
}

export interface ModelResponse {
  readonly usage?: SdkUsage
  readonly output?: unknown
  readonly responseId?: string
  /** As a stream calls it. */
  readonly id?: string
}

export interface StreamEvent {
  readonly type: string
  readonly response?: ModelResponse
}

export interface SdkUsage {
  readonly inputTokens?: number
  readonly outputTokens?: number
  readonly totalTokens?: number
  readonly inputTokensDetails?: Details
  readonly outputTokensDetails?: Details
}

type Details = Record<string, number> | readonly Record<string, number>[]

export interface ApprovalItem {
  readonly rawItem: ToolCallItem
  readonly name?: string
  readonly toolName?: string
}

export interface RunContext {
  readonly usage?: SdkUsage
  isToolApproved?(call: { toolName: string; callId: string }): boolean | undefined
  getRejectionMessage?(toolName: string, callId: string): string | undefined
}

/** The input of a run that continues an interrupted one. */
export interface RunState {
  readonly _context: RunContext
  readonly _conversationId?: string
  readonly _trace?: { readonly groupId?: string | null } | null
  getInterruptions(): readonly ApprovalItem[]
}

export interface RunResult {
  readonly finalOutput?: unknown
  readonly interruptions?: readonly ApprovalItem[]
  readonly state?: { readonly _context?: RunContext }
  /** Of streamed runs. */
  readonly completed?: Promise<void>
  readonly cancelled?: boolean
}

export interface Runner {
  readonly config?: {
    readonly model?: string | Model
    readonly modelProvider?: ModelProvider
    readonly groupId?: string
    readonly traceIncludeSensitiveData?: boolean
  }
  on(event: string, listener: (...args: never[]) => void): unknown
  run(agent: Agent, input: RunInput, options?: RunOptions): Promise<RunResult>
}

export type RunInput = string | readonly InputItem[] | RunState

export interface RunOptions {
  readonly conversationId?: string
  readonly session?: { readonly sessionId?: unknown }
}

export function isRunState(input: RunInput): input is RunState {
  return typeof input === 'object' && !Array.isArray(input)
}
