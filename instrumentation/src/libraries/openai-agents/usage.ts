import type { Usage } from '../../agents/recorder.ts'
import type { SdkUsage } from './types.ts'

/** The details of a whole run are a list, one entry a request. */
export function usageOf(usage: SdkUsage | undefined): Usage | undefined {
  if (!usage) return undefined
  return {
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    cache_read_input_tokens: detail(usage.inputTokensDetails, 'cached_tokens'),
    reasoning_output_tokens: detail(usage.outputTokensDetails, 'reasoning_tokens'),
    total_tokens: usage.totalTokens,
  }
}

function detail(details: SdkUsage['inputTokensDetails'], name: string): number | undefined {
  if (!details) return undefined
  const entries = Array.isArray(details)
    ? (details as Record<string, number>[])
    : [details as Record<string, number>]
  const counts = entries.map((entry) => entry[name]).filter((count) => typeof count === 'number')
  return counts.length > 0 ? counts.reduce((sum, count) => sum + count, 0) : undefined
}
