export * from './conformance.ts'
export * from './samples.ts'
export * from './sink.ts'
