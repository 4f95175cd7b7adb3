import { describeLibrary } from '../register/library.ts'
import { expected } from './expected.ts'

describeLibrary('langchain', new URL('./', import.meta.url), expected)
