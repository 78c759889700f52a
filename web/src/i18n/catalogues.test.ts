import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

import en from './en.json'
import zh from './zh-CN.json'

test('both languages say everything', () => {
  // A text that is missing would show its key to half of the users.
  expect(Object.keys(zh)).toEqual(Object.keys(en))
  for (const [key, text] of Object.entries(en)) {
    if (key !== 'next.none') expect(text, key).not.toBe('')
  }
  for (const [key, text] of Object.entries(zh)) {
    if (key !== 'next.none') expect(text, key).not.toBe('')
  }
})

test('placeholders are the same in both languages', () => {
  const places = (text: string) => (text.match(/{{\w+}}/g) ?? []).sort()
  for (const key of Object.keys(en) as (keyof typeof en)[]) {
    expect(places(zh[key]), key).toEqual(places(en[key]))
  }
})

test('every word of the interface that is shown has a text', () => {
  // A state or a reason without one would show its key, when somebody needs it most.
  const document = JSON.parse(readFileSync('../openapi/hansa.json', 'utf8')) as {
    components: { schemas: Record<string, { enum?: string[] }> }
  }
  const shown: Record<string, string> = {
    Code: 'problem',
    HealthReason: 'healthReason',
    IncidentKind: 'incidentKind',
    InvitationPhase: 'invitationPhase',
    LedgerPhase: 'ledgerPhase',
    LedgerState: 'ledgerState',
    NextAction: 'next',
    NodeHealth: 'nodeHealth',
    NodePhase: 'nodePhase',
    OperationKind: 'operationKind',
    OperationReason: 'reason',
    Relation: 'relation',
  }
  for (const [schema, prefix] of Object.entries(shown)) {
    for (const word of document.components.schemas[schema]?.enum ?? []) {
      expect(Object.keys(en), schema).toContain(`${prefix}.${word}`)
    }
  }
})

test('no page speaks a language of its own', () => {
  // Text between tags that is not a text of the catalogues stays English for everybody.
  for (const folder of ['src/pages', 'src/parts']) {
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.tsx'))) {
      const source = readFileSync(join(folder, name), 'utf8')
      const found = [...source.matchAll(/^\s*([A-Z][a-z]+(?: [A-Za-z]+)*[.…]?)$/gm)]
      const texts = found.map(([, text]) => text).filter((text) => text !== 'Hansa')
      expect(texts, name).toEqual([])
    }
  }
})

test('every text that the pages use is in the catalogues', () => {
  const sources = ['src/pages', 'src/parts'].flatMap((folder) =>
    readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8')),
  )
  for (const source of sources) {
    for (const [, key] of source.matchAll(/\bt\('([\w.]+)'/g)) {
      expect(Object.keys(en), 'add it to both catalogues').toContain(key)
    }
  }
})
