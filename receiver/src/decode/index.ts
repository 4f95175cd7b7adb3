export * from './decoded-request.ts'
export * from './otlp-json.ts'
export * from './otlp-protobuf.ts'
export * from './rest.ts'
