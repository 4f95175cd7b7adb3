import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

const DASHBOARDS = join(import.meta.dirname, '../..', 'deploy/grafana/dashboards')

interface Panel {
  readonly title: string
  readonly targets?: readonly { readonly rawSql?: string; readonly expr?: string }[]
}

/** A query of a dashboard, by the panel that it is for. */
export interface PanelQuery {
  readonly panel: string
  readonly query: string
}

/** Every query of a dashboard, as it is written there. */
export async function queriesOf(dashboard: string): Promise<PanelQuery[]> {
  const { panels } = JSON.parse(await readFile(join(DASHBOARDS, `${dashboard}.json`), 'utf8')) as {
    panels: Panel[]
  }
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ rawSql, expr }) => ({ panel: title, query: rawSql ?? expr ?? '' })),
  )
}

export interface SqlVariables {
  readonly from: Date
  readonly to: Date
  readonly session: string
}

/** What Grafana's PostgreSQL data source makes of the macros and variables that our queries use. */
export function expandSql(query: string, { from, to, session }: SqlVariables): string {
  return query
    .replaceAll(/\$\{session:sqlstring\}/g, () => `'${session.replaceAll("'", "''")}'`)
    .replaceAll('$__interval', '1m')
    .replaceAll(/\$__timeFilter\(([^)]+)\)/g, `$1 BETWEEN '${from.toISOString()}' AND '${to.toISOString()}'`)
    .replaceAll(/\$__timeGroupAlias\(([^,]+), 1m\)/g, 'floor(extract(epoch from $1)/60)*60 AS "time"')
}

/** What Grafana makes of the variables in our Prometheus queries, every receiver chosen. */
export function expandPromql(query: string): string {
  return query.replaceAll('$__rate_interval', '5s').replaceAll('$__range', '1m').replaceAll('$instance', '.*')
}
