import { claudeCode } from './claude-code.ts'
import type { HookMapping } from './hook-mapping.ts'

/** Every agent with a route of its own, `/hooks/<agent>`. */
export const HOOK_MAPPINGS: readonly HookMapping[] = [claudeCode]
