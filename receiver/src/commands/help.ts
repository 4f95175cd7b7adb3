import { styleText } from 'node:util'
import { environmentName, flagName, OPTIONS, type Option } from '../config/options.ts'
import type { Command } from './command.ts'

const WIDTH = 100
const INDENT = ' '.repeat(6)

export function helpText(commands: readonly Command[]): string {
  return `${bold('agentic-hooks-receiver')} stores the hook events of AI agents, and answers only once they are durable.

${bold('Usage')}
  agentic-hooks-receiver [COMMAND] [OPTIONS]

${bold('Commands')}
${commands.map(commandLine).join('\n')}

${bold('Examples')}
  agentic-hooks-receiver
  DATABASE_URL=postgres://localhost/hooks agentic-hooks-receiver --host 0.0.0.0 --auth-tokens-file tokens.txt
  curl localhost:4318/events -H 'Content-Type: application/json' \\
    -d '{"event_type": "custom", "session_id": "s1", "data": {"hello": "world"}}'

Every option is a flag and an environment variable; a flag wins.
${groups().map(groupText).join('\n')}
  ${bold('--help')}, ${bold('--version')}
`
}

function commandLine({ name, usage, summary }: Command): string {
  return `  ${`${name} ${usage}`.padEnd(22)} ${summary}`
}

function groups(): [string, [string, Option][]][] {
  return Object.entries(Object.groupBy(Object.entries<Option>(OPTIONS), ([, { group }]) => group))
}

function groupText([group, options]: [string, [string, Option][]]): string {
  return `\n${bold(group)}\n${options.map(optionText).join('\n')}`
}

function optionText([name, { kind, help, default: byDefault }]: [string, Option]): string {
  const head = `  ${bold(`--${flagName(name)}`)} ${kind.placeholder}`
  const aside = `${environmentName(name)}${byDefault === undefined ? '' : `, default ${byDefault}`}`
  return `${head}  ${styleText('dim', `(${aside})`)}\n${wrap(help)}`
}

function wrap(text: string): string {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!
    if (line && INDENT.length + line.length + word.length >= WIDTH) lines.push(word)
    else lines[lines.length - 1] = line ? `${line} ${word}` : word
  }
  return lines.map((line) => INDENT + line).join('\n')
}

function bold(text: string): string {
  return styleText('bold', text)
}
