import type { AnswerReader, ModelAnswer } from '../../agents/raw-client.ts'
import type { Usage } from '../../agents/recorder.ts'

interface ToolCall {
  index?: number
  id?: string
  type?: string
  function?: { name?: string; arguments?: string }
}

interface ChatCompletion {
  readonly id?: string
  readonly model?: string
  readonly choices?: readonly Choice[]
  readonly usage?: ChatUsage | null
}

interface Choice {
  readonly finish_reason?: string | null
  readonly message?: { readonly content?: string | null; readonly tool_calls?: readonly ToolCall[] }
  /** Of a chunk. */
  readonly delta?: { readonly content?: string | null; readonly tool_calls?: readonly ToolCall[] }
}

interface ChatUsage {
  readonly prompt_tokens?: number
  readonly completion_tokens?: number
  readonly total_tokens?: number
  readonly prompt_tokens_details?: { readonly cached_tokens?: number }
  readonly completion_tokens_details?: { readonly reasoning_tokens?: number }
}

/** The first choice stands for all: agents ask for one. */
export const chatCompletions: AnswerReader<ChatCompletion, ChatCompletion> = {
  read({ id, model, choices, usage }) {
    const { finish_reason, message } = choices?.[0] ?? {}
    return { id, model, stopReason: finish_reason, usage: chatUsage(usage), output: message }
  },

  assembler() {
    let last: ChatCompletion = {}
    let content = ''
    let stopReason: string | null | undefined
    let usage: ChatUsage | null | undefined
    const toolCalls = new Map<number, ToolCall>()
    return {
      add(chunk) {
        last = chunk
        usage = chunk.usage ?? usage
        const { delta, finish_reason } = chunk.choices?.[0] ?? {}
        stopReason = finish_reason ?? stopReason
        content += delta?.content ?? ''
        for (const call of delta?.tool_calls ?? []) addToolCall(toolCalls, call)
      },
      answer() {
        const output = { content, ...(toolCalls.size > 0 ? { tool_calls: [...toolCalls.values()] } : {}) }
        return { id: last.id, model: last.model, stopReason, usage: chatUsage(usage), output }
      },
    }
  },
}

/** By the index that the server gave, which may be anything. */
function addToolCall(
  toolCalls: Map<number, ToolCall>,
  { index = 0, id, type, function: piece }: ToolCall,
): void {
  const call = toolCalls.get(index) ?? {}
  toolCalls.set(index, call)
  if (id) call.id = id
  if (type) call.type = type
  call.function = {
    name: piece?.name ?? call.function?.name ?? '',
    arguments: (call.function?.arguments ?? '') + (piece?.arguments ?? ''),
  }
}

function chatUsage(usage: ChatUsage | null | undefined): Usage | undefined {
  if (!usage) return undefined
  return {
    input_tokens: usage.prompt_tokens,
    output_tokens: usage.completion_tokens,
    cache_read_input_tokens: usage.prompt_tokens_details?.cached_tokens,
    reasoning_output_tokens: usage.completion_tokens_details?.reasoning_tokens,
    total_tokens: usage.total_tokens,
  }
}

interface Response {
  readonly id?: string
  readonly model?: string
  readonly status?: string
  readonly incomplete_details?: { readonly reason?: string } | null
  readonly output?: unknown
  readonly usage?: ResponseUsage | null
}

interface ResponseUsage {
  readonly input_tokens?: number
  readonly output_tokens?: number
  readonly total_tokens?: number
  readonly input_tokens_details?: { readonly cached_tokens?: number }
  readonly output_tokens_details?: { readonly reasoning_tokens?: number }
}

/** The events of a stream carry the response as it is so far; the last of them is the whole. */
export const responses: AnswerReader<Response, { readonly response?: Response }> = {
  read: readResponse,

  assembler() {
    let response: Response | undefined
    return {
      add(event) {
        response = event.response ?? response
      },
      answer: () => (response ? readResponse(response) : {}),
    }
  },
}

function readResponse({ id, model, status, incomplete_details, output, usage }: Response): ModelAnswer {
  return {
    id,
    model,
    stopReason: incomplete_details?.reason ?? status,
    output,
    usage: usage
      ? {
          input_tokens: usage.input_tokens,
          output_tokens: usage.output_tokens,
          cache_read_input_tokens: usage.input_tokens_details?.cached_tokens,
          reasoning_output_tokens: usage.output_tokens_details?.reasoning_tokens,
          total_tokens: usage.total_tokens,
        }
      : undefined,
  }
}
