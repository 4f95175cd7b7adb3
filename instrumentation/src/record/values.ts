import type { AnyValue } from '@opentelemetry/api'

export function isMap(value: AnyValue | undefined): value is Record<string, AnyValue> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)
}

/** Also for the key `__proto__`, which is a member like any other. */
export function setMember(copy: Record<string, AnyValue>, key: string, value: AnyValue): void {
  if (key === '__proto__')
    Object.defineProperty(copy, key, { value, enumerable: true, writable: true, configurable: true })
  else copy[key] = value
}
