const PATCHED = Symbol.for('agentic-hooks.patched')

type AnyFunction = (this: unknown, ...args: never[]) => unknown

/**
 * Replaces a method once, however many instrumentations and copies of a dual package ask for it. The replacement
 * looks like the original: name, length and property attributes. An object that refuses it is left as it is.
 */
export function patchMethod(
  target: object | undefined,
  name: string,
  wrap: (original: AnyFunction) => unknown,
): void {
  if (!target) return
  const original = Reflect.get(target, name) as (AnyFunction & { [PATCHED]?: true }) | undefined
  if (typeof original !== 'function' || original[PATCHED]) return
  const own = Object.getOwnPropertyDescriptor(target, name)
  if (own ? !own.configurable : !Object.isExtensible(target)) return
  Object.defineProperty(target, name, {
    configurable: own?.configurable ?? true,
    enumerable: own?.enumerable ?? false,
    writable: own?.writable ?? true,
    value: asOriginal(wrap(original) as AnyFunction, original),
  })
}

/**
 * The exports with one function replaced: the same object where it can be changed, else (the frozen namespace
 * that `require()` of an ES module gives) a copy.
 */
export function patchExport<T extends object>(
  exports: T,
  name: string,
  wrap: (original: AnyFunction) => unknown,
): T {
  const original = Reflect.get(exports, name) as (AnyFunction & { [PATCHED]?: true }) | undefined
  if (typeof original !== 'function' || original[PATCHED]) return exports
  const replacement = asOriginal(wrap(original) as AnyFunction, original)
  if (Reflect.set(exports, name, replacement) && Reflect.get(exports, name) === replacement) return exports
  const copy = Object.create(null, { [Symbol.toStringTag]: { value: 'Module' } })
  return Object.assign(copy, exports, { [name]: replacement })
}

function asOriginal(replacement: AnyFunction, original: AnyFunction): AnyFunction {
  return Object.defineProperties(replacement, {
    name: { value: original.name, configurable: true },
    length: { value: original.length, configurable: true },
    [PATCHED]: { value: true },
  })
}
