import { describeLibrary } from '../register/library.ts'
import { expected } from './expected.ts'

describeLibrary('ai', new URL('./', import.meta.url), expected)
