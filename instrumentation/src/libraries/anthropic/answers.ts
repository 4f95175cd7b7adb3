import type { AnswerReader, ModelAnswer } from '../../agents/raw-client.ts'
import type { Usage } from '../../agents/recorder.ts'

interface Message {
  readonly id?: string
  readonly model?: string
  readonly content?: unknown
  readonly stop_reason?: string | null
  readonly usage?: MessageUsage
}

interface MessageUsage {
  readonly input_tokens?: number
  readonly output_tokens?: number
  readonly cache_read_input_tokens?: number | null
  readonly cache_creation_input_tokens?: number | null
}

interface Block {
  type?: string
  text?: string
  thinking?: string
  input?: unknown
}

interface StreamEvent {
  readonly type: string
  readonly message?: Message
  readonly index?: number
  readonly content_block?: Block
  readonly delta?: Block & { readonly partial_json?: string; readonly stop_reason?: string | null }
  readonly usage?: MessageUsage
}

export const messages: AnswerReader<Message, StreamEvent> = {
  read: readMessage,

  assembler() {
    let message: Message = {}
    // By the index that the server gave, which may be anything.
    const blocks = new Map<number, Block>()
    const json = new Map<number, string>()
    return {
      add({ type, message: started, index = 0, content_block, delta, usage }) {
        if (started) message = started
        if (content_block) blocks.set(index, { ...content_block })
        const block = blocks.get(index)
        if (type === 'content_block_delta' && block && delta) {
          if (delta.text) block.text = (block.text ?? '') + delta.text
          if (delta.thinking) block.thinking = (block.thinking ?? '') + delta.thinking
          if (delta.partial_json) json.set(index, (json.get(index) ?? '') + delta.partial_json)
        }
        const input = json.get(index)
        if (type === 'content_block_stop' && block && input) block.input = parsed(input)
        if (type === 'message_delta') {
          message = {
            ...message,
            stop_reason: delta?.stop_reason ?? null,
            usage: { ...message.usage, ...usage },
          }
        }
      },
      answer: () => readMessage({ ...message, content: [...blocks.values()] }),
    }
  },
}

function readMessage({ id, model, content, stop_reason, usage }: Message): ModelAnswer {
  return { id, model, stopReason: stop_reason, usage: usageOf(usage), output: content }
}

function usageOf(usage: MessageUsage | undefined): Usage | undefined {
  if (!usage) return undefined
  return {
    input_tokens: usage.input_tokens,
    output_tokens: usage.output_tokens,
    cache_read_input_tokens: usage.cache_read_input_tokens ?? undefined,
    cache_creation_input_tokens: usage.cache_creation_input_tokens ?? undefined,
  }
}

/** The input of a tool call is streamed as the text of its JSON; a stream that breaks off leaves half of it. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return json
  }
}
