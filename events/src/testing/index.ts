export { JsonParser } from '../codec/json-parser.ts'
export * from './conformance.ts'
export * from './samples.ts'
export * from './sink.ts'
