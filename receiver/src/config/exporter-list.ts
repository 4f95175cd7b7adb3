import { checkOptions, OptionRule } from '@agentic-hooks/events'
import { type Kind, nonEmpty, splitList } from './kinds.ts'

/** An exporter to load: its package, or the path of its module, and what to pass to its `createExporter`. */
export interface ExporterSpec {
  readonly package: string
  readonly options?: Readonly<Record<string, unknown>>
}

/** `a,b` or a JSON array of names and of `{"package": "a", "options": {}}`. */
export const exporterList: Kind<readonly ExporterSpec[]> = {
  placeholder: 'LIST',
  allowed: 'package names separated by commas, or a JSON array of names and {"package", "options"} objects',
  parse(value) {
    if (!value.trimStart().startsWith('['))
      return nonEmpty(splitList(value).map((name) => ({ package: name })))
    let entries: unknown
    try {
      entries = JSON.parse(value)
    } catch {
      return undefined
    }
    const specs = Array.isArray(entries) ? entries.map(toExporterSpec) : []
    return specs.every((spec) => spec !== undefined) ? nonEmpty(specs) : undefined
  },
}

const EXPORTER_RULES = {
  // The values may hold passwords.
  package: { ...OptionRule.text('the name of a package'), isRequired: true, isSecret: true },
  options: { ...OptionRule.objectWith('an object'), isSecret: true },
}

function toExporterSpec(entry: unknown): ExporterSpec | undefined {
  if (typeof entry === 'string') return { package: entry }
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return undefined
  return checkOptions<ExporterSpec>('an exporter', EXPORTER_RULES, entry) as ExporterSpec
}
