export * from './testing/conformance.ts'
export * from './testing/samples.ts'
export * from './testing/sink.ts'
