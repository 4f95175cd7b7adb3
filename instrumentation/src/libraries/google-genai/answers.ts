import type { AnswerReader, ModelAnswer } from '../../agents/raw-client.ts'

export interface Content {
  readonly role?: string
  readonly parts?: readonly unknown[]
}

export interface GenerateContentResponse {
  readonly responseId?: string
  readonly modelVersion?: string
  readonly candidates?: readonly { readonly content?: Content; readonly finishReason?: string }[]
  readonly usageMetadata?: {
    readonly promptTokenCount?: number
    readonly candidatesTokenCount?: number
    readonly cachedContentTokenCount?: number
    readonly thoughtsTokenCount?: number
    readonly totalTokenCount?: number
  }
}

export const generateContent: AnswerReader<GenerateContentResponse, GenerateContentResponse> = {
  read: (response) => answerOf(response, response.candidates?.[0]?.content?.parts ?? []),

  assembler() {
    let last: GenerateContentResponse = {}
    const parts: unknown[] = []
    return {
      add(chunk) {
        last = chunk
        parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []))
      },
      answer: () => answerOf(last, parts),
    }
  },
}

function answerOf(response: GenerateContentResponse, output: readonly unknown[]): ModelAnswer {
  const { usageMetadata: usage } = response
  return {
    id: response.responseId,
    model: response.modelVersion,
    stopReason: response.candidates?.[0]?.finishReason,
    output,
    usage: usage && {
      input_tokens: usage.promptTokenCount,
      output_tokens: usage.candidatesTokenCount,
      cache_read_input_tokens: usage.cachedContentTokenCount,
      reasoning_output_tokens: usage.thoughtsTokenCount,
      total_tokens: usage.totalTokenCount,
    },
  }
}
