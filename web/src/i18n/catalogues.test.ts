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
