export * from './write/copy-in.ts'
export * from './write/copy-rows.ts'
