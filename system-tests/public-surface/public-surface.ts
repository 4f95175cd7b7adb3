import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
// TypeScript 7 has no interface for programs yet.
import ts from 'typescript-5'

/** The names that each entry point of each package exports, with their kinds, one line per name. */
export function publicSurface(root: string, packages: readonly string[]): string {
  const entries = packages.flatMap((folder) => entryPoints(root, folder))
  const program = ts.createProgram({
    rootNames: entries.map(({ file }) => file),
    options: {
      target: ts.ScriptTarget.ES2024,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      customConditions: ['@agentic-hooks/source'],
      allowImportingTsExtensions: true,
      noEmit: true,
      skipLibCheck: true,
      types: ['node'],
    },
  })
  const checker = program.getTypeChecker()
  return entries
    .map(({ specifier, file }) => {
      const module = checker.getSymbolAtLocation(program.getSourceFile(file)!)
      const symbols = module ? checker.getExportsOfModule(module) : []
      const names = symbols.map((symbol) => `  ${kindOf(checker, symbol)} ${symbol.name}\n`).sort()
      return `${specifier}\n${names.join('')}`
    })
    .join('\n')
}

interface EntryPoint {
  readonly specifier: string
  readonly file: string
}

function entryPoints(root: string, folder: string): EntryPoint[] {
  const { name, exports } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
  return Object.entries<Record<string, string>>(exports).flatMap(([subpath, conditions]) => {
    const source = conditions['@agentic-hooks/source']!
    return globSync(source, { cwd: join(root, folder) })
      .sort()
      .map((file) => {
        const [before = '', after = ''] = source.slice(2).split('*')
        const star = file.slice(before.length, after ? -after.length : undefined)
        return { specifier: join(name, subpath.replace('*', star)), file: join(root, folder, file) }
      })
  })
}

function kindOf(checker: ts.TypeChecker, symbol: ts.Symbol): string {
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  if (target.flags & ts.SymbolFlags.Class) return 'class'
  if (target.flags & ts.SymbolFlags.Function) return 'function'
  if (target.flags & ts.SymbolFlags.Variable) return 'const'
  if (target.flags & ts.SymbolFlags.Interface) return 'interface'
  return 'type'
}
