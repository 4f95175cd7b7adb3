import { plainText } from '../../agents/conversation.ts'
import type { Usage } from '../../agents/recorder.ts'

/** The members of LangChain's messages that are read here. */
export interface Message {
  readonly type?: string
  readonly role?: string
  readonly id?: string
  readonly name?: string
  readonly content?: unknown
  readonly status?: string
  readonly tool_call_id?: string
  readonly tool_calls?: readonly { readonly name: string; readonly id?: string; readonly args?: unknown }[]
  readonly usage_metadata?: UsageMetadata
  readonly response_metadata?: Record<string, unknown>
}

export type ToolMessage = Message & { readonly tool_call_id: string }

export interface Generation {
  readonly text?: string
  readonly message?: Message
  readonly generationInfo?: Record<string, unknown>
}

interface UsageMetadata {
  readonly input_tokens?: number
  readonly output_tokens?: number
  readonly total_tokens?: number
  readonly input_token_details?: { readonly cache_read?: number; readonly cache_creation?: number }
  readonly output_token_details?: { readonly reasoning?: number }
}

export function isToolMessage(message: Message): message is ToolMessage {
  return typeof message?.tool_call_id === 'string'
}

/** The messages in a chain's inputs or outputs: its state, an update of it, or commands that carry updates. */
export function messagesIn(value: unknown): readonly Message[] {
  if (Array.isArray(value)) return value.flatMap(messagesIn)
  if (typeof value !== 'object' || value === null) return []
  const { messages, update, output } = value as { messages?: unknown; update?: unknown; output?: unknown }
  if (Array.isArray(messages)) return messages
  return messagesIn(update ?? (Array.isArray(output) ? output : undefined))
}

export function lastUserText(inputs: unknown): unknown {
  if (typeof inputs === 'string') return inputs
  const last = messagesIn(inputs).at(-1)
  if (last) return ['human', 'user'].includes(roleOf(last) ?? '') ? plainText(last.content) : undefined
  const { input } = (inputs ?? {}) as { input?: unknown }
  return typeof input === 'string' ? input : undefined
}

/** The messages after the model's last answer, without the classes around them. */
export function newMessages(messages: readonly Message[] = []): unknown[] {
  const answered = messages.findLastIndex((message) => roleOf(message) === 'ai')
  return messages.slice(answered + 1).map((message) => {
    const { name, tool_call_id, status, content } = message
    return { role: roleOf(message), name, tool_call_id, status, content: plainText(content) }
  })
}

export function answerOf(generation: Generation | undefined): unknown {
  const { message, text } = generation ?? {}
  if (!message) return text
  return {
    content: plainText(message.content),
    tool_calls: message.tool_calls?.length ? message.tool_calls : undefined,
  }
}

export function usageOf(usage: UsageMetadata | undefined): Usage | undefined {
  return (
    usage && {
      input_tokens: usage.input_tokens,
      output_tokens: usage.output_tokens,
      cache_read_input_tokens: usage.input_token_details?.cache_read,
      cache_creation_input_tokens: usage.input_token_details?.cache_creation,
      reasoning_output_tokens: usage.output_token_details?.reasoning,
      total_tokens: usage.total_tokens,
    }
  )
}

function roleOf({ type, role }: Message): string | undefined {
  return type ?? role
}
