/** Thrown by an exporter for a batch that can never succeed, however often it is sent again. */
export class PermanentExportError extends Error {
  override readonly name = 'PermanentExportError'
}

/** By name: an exporter of somebody else may bring its own copy of the class. */
export function isPermanentExportError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'PermanentExportError'
}

/** One wrong field of an event, for a person to repair: `path` as in `1.session_id`. */
export interface FieldError {
  readonly path: string
  readonly message: string
}

/** An event that is not one: lists every wrong field, not only the first. */
export class InvalidEventError extends Error {
  override readonly name = 'InvalidEventError'

  readonly fields: readonly FieldError[]

  constructor(fields: readonly FieldError[]) {
    super(fields.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; '))
    this.fields = fields
  }
}
