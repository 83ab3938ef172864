/** The catalog as the database itself knows it: for work on a data folder without the functions it belongs to. */
import type { Json } from '../values/json.ts'
import { LAST_SYSTEM_TABLE_NUMBER } from '../values/ids.ts'
import { storedSearchIndexes } from '../search/catalog.ts'
import { FORMAT, READABLE_FORMATS, type Catalog, type IndexInfo, type TableInfo } from './catalog.ts'
import type { Connection } from './connection.ts'

/** Reads tables, indexes and document types. Throws when the file is no backend's or of another format. */
export function storedCatalog(connection: Connection): Catalog {
  if (connection.all(`SELECT 1 FROM sqlite_master WHERE name = 'tables'`).length === 0)
    throw new Error('The database holds no backend: give the folder of one, or start it once with its functions.')
  const format = connection.meta('format')
  if (format === undefined || !READABLE_FORMATS.includes(format))
    throw new Error(`The data has format ${format ?? 'unknown'}, this version of the backend reads format ${FORMAT}.`)
  const byName = new Map<string, TableInfo>()
  const indexes = new Map<string, IndexInfo>()
  for (const row of connection.all('SELECT number, name, document_type FROM tables ORDER BY number')) {
    const [number, name] = [row['number'] as number, row['name'] as string]
    const own = new Map<string, IndexInfo>()
    for (const index of connection.all('SELECT id, name, fields FROM indexes WHERE table_number = ?', number)) {
      const info: IndexInfo = {
        id: index['id'] as number,
        name: `${name}.${index['name'] as string}`,
        table: name,
        fields: JSON.parse(index['fields'] as string) as string[],
      }
      own.set(index['name'] as string, info)
      indexes.set(info.name, info)
    }
    const documentType = JSON.parse((row['document_type'] as string | null) ?? 'null') as Json
    byName.set(name, {
      number,
      name,
      system: number <= LAST_SYSTEM_TABLE_NUMBER,
      indexes: own,
      searchIndexes: storedSearchIndexes(connection, { number, name }),
      documentType,
    })
  }
  const byNumber = new Map([...byName.values()].map((table) => [table.number, table]))
  return {
    table: (name) => byName.get(name),
    tableByNumber: (number) => byNumber.get(number),
    formerTable: () => undefined,
    index: (name) => indexes.get(name),
    tables: () => byName.values(),
  }
}
