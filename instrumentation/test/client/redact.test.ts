import { describe, expect, it } from 'vitest'
import { HookClient, type HookClientOptions, InMemoryExporter } from '../../src/index.ts'
import { Redactor } from '../../src/record/redact.ts'

async function redacted(data: Record<string, unknown>, options: HookClientOptions = {}): Promise<unknown> {
  const exporter = new InMemoryExporter()
  await using client = new HookClient({ exporter, ...options })
  client.emit({ eventType: 'custom', sessionId: 's', data })
  await client.flush()
  return exporter.events[0]!.data
}

async function redactedText(text: string, options: HookClientOptions = {}): Promise<unknown> {
  return ((await redacted({ text }, options)) as { text: unknown }).text
}

// Put together here, so that no scanner takes the test for a leak.
const abc = 'abcdefghij0123456789ABCDEFGHIJ0123456789'
const pem = (kind: string) =>
  `-----BEGIN ${kind}PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBK\nkwggSlAgEAAoIBAQC7VJTUt9Us8cKj\n-----END ${kind}PRIVATE KEY-----`

describe('by value', () => {
  it.each([
    ['an Anthropic key', `sk-ant-api03-${abc}`],
    ['an OpenAI key', `sk-proj-${abc}`],
    ['a Stripe key', `sk_live_${abc}`],
    ['a GitHub token', `ghp_${abc}`],
    ['a fine-grained GitHub token', `github_pat_${abc}`],
    ['a GitLab token', `glpat-${abc}`],
    ['a Slack token', `xoxb-123456789012-${abc}`],
    ['an npm token', `npm_${abc}`],
    ['a PyPI token', `pypi-${abc}`],
    ['a Hugging Face token', `hf_${abc}`],
    ['an AWS key id', `AKIA${'IOSFODNN7EXAMPLE'}`],
    ['a Google key', `AIza${abc}`],
    ['a SendGrid key', `SG.${abc.slice(0, 22)}.${abc}`],
    ['a JSON Web Token', `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.${abc}`],
    ['a private key', pem('')],
    ['an RSA private key', pem('RSA ')],
    ['an OpenSSH private key, cut off', pem('OPENSSH ').slice(0, 100)],
  ])('%s becomes [redacted], alone and within a text', async (_, secret) => {
    expect(await redactedText(secret)).toBe('[redacted]')
    expect(await redactedText(`key: "${secret}"`)).toMatch(/^key: "\[redacted\]/)
    expect(await redacted({ list: [{ nested: `x ${secret}` }] })).toEqual({
      list: [{ nested: 'x [redacted]' }],
    })
  })

  it.each([
    [`curl -H "Authorization: Bearer ${abc}"`, 'curl -H "Authorization: Bearer [redacted]"'],
    ['Authorization: Basic dXNlcjpwYXNzd29yZDEyMw==', 'Authorization: Basic [redacted]'],
    [
      'postgres://me:pa-ss@db/x and redis://:hunter2@r:6379',
      'postgres://me:[redacted]@db/x and redis://:[redacted]@r:6379',
    ],
    ['export DB_PASSWORD=hunter2 && psql', 'export DB_PASSWORD=[redacted] && psql'],
    ['GITHUB_TOKEN="a b" gh pr list', 'GITHUB_TOKEN=[redacted] gh pr list'],
    [`AWS_SECRET_ACCESS_KEY=${abc}`, 'AWS_SECRET_ACCESS_KEY=[redacted]'],
  ])('%s keeps what is not secret', async (text, result) => {
    expect(await redactedText(text)).toBe(result)
  })

  it.each([
    'Run the unit tests of the parser and print the summary of failures',
    '/home/user/projects/agentic/src/instrumentation/redact.ts',
    '0198f3e4-7b1a-7c4e-9f3a-2b1c0d9e8f7a',
    'toolu_01ABCDEFGHIJKLMNOPQRSTUV',
    'sk-learn-style-transformers-everywhere',
    'https://example.com:8080/a@b?c=d',
    'user@example.com, foo=bar',
    'git@github.com:org/repo.git',
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    'the bearer of bad news',
  ])('%s stays', async (text) => {
    expect(await redactedText(text)).toBe(text)
  })
})

describe('by key', () => {
  it.each([
    'password',
    'db_password',
    'passphrase',
    'apiKey',
    'api_key',
    'X-API-Key',
    'Authorization',
    'client_secret',
    'secretAccessKey',
    'access_token',
    'githubToken',
    'token',
    'Set-Cookie',
    'privateKey',
    'credentials',
  ])('%s hides its value', async (key) => {
    expect(await redacted({ [key]: 'x', nested: { [key]: { a: 1 } }, map: new Map([[key, 1]]) })).toEqual({
      [key]: '[redacted]',
      nested: { [key]: '[redacted]' },
      map: { [key]: '[redacted]' },
    })
  })

  it.each([
    'tokens',
    'max_tokens',
    'token_count',
    'input_tokens',
    'passwordless',
    'author',
    'key',
    'secretary',
  ])('%s does not', async (key) => {
    expect(await redacted({ [key]: 'x' })).toEqual({ [key]: 'x' })
  })

  it('tells no flag and no gap', async () => {
    const data = { password: null, token: false, secret: '' }
    expect(await redacted(data)).toEqual(data)
  })
})

describe('the option redact', () => {
  it('adds patterns and keys to the well-known ones', async () => {
    const redact = { patterns: [/\bACME-\d+/], keys: ['ssn', /^x-internal-/] }
    expect(
      await redacted(
        { text: 'order ACME-1 and ACME-2', SSN: '1', 'x-internal-id': '2', token: 't' },
        { redact },
      ),
    ).toEqual({
      text: 'order [redacted] and [redacted]',
      SSN: '[redacted]',
      'x-internal-id': '[redacted]',
      token: '[redacted]',
    })
  })

  it('replaces the well-known ones with `defaults: false`', async () => {
    const data = { token: 't', text: `ghp_${abc}`, ssn: '1' }
    expect(await redacted(data, { redact: { defaults: false, keys: ['ssn'] } })).toEqual({
      ...data,
      ssn: '[redacted]',
    })
  })

  it('is off with `false`', async () => {
    const data = { token: 't', text: `ghp_${abc}` }
    expect(await redacted(data, { redact: false })).toEqual(data)
  })
})

it('hides secrets also in the flat attributes and the body', async () => {
  const exporter = new InMemoryExporter()
  await using client = new HookClient({ exporter })
  client.emit({ eventType: 'tool_execution_started', sessionId: 's', data: { tool_name: `ghp_${abc}` } })
  await client.flush()
  expect(JSON.stringify(exporter.records[0])).not.toContain(abc)
})

describe('a long text', () => {
  it.each([
    'eyJ-',
    'eyJ.',
    'eyJaaaaaaaaaaaaaaaa.',
    'sk-',
    'SG.',
    '://a:',
    'TOKEN="',
    '-----BEGIN A PRIVATE KEY-----',
  ])('of %s again and again is looked through in time in proportion to its length', (part) => {
    const redactor = new Redactor()
    const millisFor = (length: number) => {
      const text = `x ${part.repeat(length / part.length)} `
      const startedAt = performance.now()
      redactor.text(text)
      return performance.now() - startedAt
    }
    const once = millisFor(250_000)
    expect(millisFor(500_000)).toBeLessThan(3 * once + 1000)
  })

  it('loses each JSON Web Token, and only those', () => {
    const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0.sig-_'
    const text = `a-${jwt}. v1.${jwt}.rest "${jwt}" eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0 eyJ.aaaaaaaa.b`
    expect(new Redactor().text(text)).toBe(
      'a-[redacted]. v1.[redacted].rest "[redacted]" eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0 eyJ.aaaaaaaa.b',
    )
  })
})
