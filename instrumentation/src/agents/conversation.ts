/** What applications call the conversation, in the contexts and metadata that they hand to a library. */
const CONVERSATION_KEYS = [
  'session_id',
  'sessionId',
  'thread_id',
  'threadId',
  'conversation_id',
  'conversationId',
  'chat_id',
  'chatId',
]

export function conversationIdIn(
  metadata: Readonly<Record<string, unknown>> | undefined,
): string | undefined {
  for (const key of CONVERSATION_KEYS) {
    const value = metadata?.[key]
    if (typeof value === 'string' && value) return value
    if (typeof value === 'number') return String(value)
  }
  return undefined
}

/** Tool inputs come as the JSON text that a model wrote, which need not be any. */
export function parsedJson(text: unknown): unknown {
  if (typeof text !== 'string') return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The text of a message's content where it is nothing but text, else the content as it is. */
export function plainText(content: unknown): unknown {
  if (!Array.isArray(content) || content.length === 0) return content
  const texts = content.map((part) =>
    part?.type === 'text' || part?.type === 'input_text' ? part.text : undefined,
  )
  return texts.every((text) => typeof text === 'string') ? texts.join('\n') : content
}
