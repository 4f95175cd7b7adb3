import type { Usage } from '../../agents/recorder.ts'

interface Tokens {
  readonly total?: number
  readonly cacheRead?: number
  readonly cacheWrite?: number
  readonly reasoning?: number
}

/** A provider's usage has its counts inside `inputTokens` and `outputTokens`, the SDK's own beside them. */
interface SdkUsage {
  readonly inputTokens?: number | Tokens
  readonly outputTokens?: number | Tokens
  readonly totalTokens?: number
  readonly inputTokenDetails?: { readonly cacheReadTokens?: number; readonly cacheWriteTokens?: number }
  readonly outputTokenDetails?: { readonly reasoningTokens?: number }
}

export function usageOf(usage: unknown): Usage | undefined {
  if (typeof usage !== 'object' || usage === null) return undefined
  const { inputTokens, outputTokens, totalTokens, inputTokenDetails, outputTokenDetails } = usage as SdkUsage
  const input = typeof inputTokens === 'object' ? inputTokens : undefined
  const output = typeof outputTokens === 'object' ? outputTokens : undefined
  return {
    input_tokens: input?.total ?? (inputTokens as number | undefined),
    output_tokens: output?.total ?? (outputTokens as number | undefined),
    cache_read_input_tokens: input?.cacheRead ?? inputTokenDetails?.cacheReadTokens,
    cache_creation_input_tokens: input?.cacheWrite ?? inputTokenDetails?.cacheWriteTokens,
    reasoning_output_tokens: output?.reasoning ?? outputTokenDetails?.reasoningTokens,
    total_tokens: totalTokens,
  }
}
