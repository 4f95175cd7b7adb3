import { encodeJsonString } from '@agentic-hooks/events'
import type { JsonWriter } from './json-writer.ts'

/** What a resource or an instrumentation scope says besides its attributes; empty where it says nothing. */
export interface OriginFields {
  name: string
  version: string
  droppedAttributesCount: number
  schemaUrl: string
}

export const NOTHING_SAID: OriginFields = { name: '', version: '', droppedAttributesCount: 0, schemaUrl: '' }

/** The resource as it is stored: its attributes. */
export function writeResource(json: JsonWriter, writeAttributes: () => void): Uint8Array | null {
  const start = json.position
  json.openObject()
  writeAttributes()
  return json.takeObject(start)
}

/** The scope as it is stored: `name`, `version` and `attributes`, each where given. */
export function writeScope(
  json: JsonWriter,
  { name, version }: OriginFields,
  writeAttributes: () => void,
): Uint8Array | null {
  const start = json.position
  json.openObject()
  if (name) json.member('name', encodeJsonString(name))
  if (version) json.member('version', encodeJsonString(version))
  const end = json.position
  json.member('attributes', '')
  const attributes = json.position
  json.openObject()
  writeAttributes()
  if (!json.endObject(attributes)) json.rewind(end)
  return json.takeObject(start)
}

/** What resource and scope say that every record of theirs keeps in `attributes`, as members of JSON. */
export function originMembers(resource: OriginFields, scope: OriginFields): string {
  return [...membersOf('resource', resource), ...membersOf('scope', scope)].join(',')
}

const NO_MEMBERS: readonly string[] = []

function membersOf(part: string, { droppedAttributesCount, schemaUrl }: OriginFields): readonly string[] {
  if (!droppedAttributesCount && !schemaUrl) return NO_MEMBERS
  const members: string[] = []
  if (droppedAttributesCount) members.push(`"${part}.dropped_attributes_count":${droppedAttributesCount}`)
  if (schemaUrl) members.push(`"${part}.schema_url":${encodeJsonString(schemaUrl)}`)
  return members
}
