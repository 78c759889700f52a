import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

import { type Asked, CharterError, approve, charterDigest, endorsementDigest } from './charter'
import { signerOf } from './signing'

// Written by services/ledger-types/tests/conformance.rs: the ledger's own encoding.
const golden = JSON.parse(
  readFileSync('../services/ledger-types/tests/charter.json', 'utf8'),
) as Asked & { seed: string }
const draft = golden.endorsements[0]!

describe('a member signs what it is shown', () => {
  test('digests are those that the nodes compute', async () => {
    expect(await charterDigest(golden.charter)).toBe(golden.digest)
    expect(await endorsementDigest(golden.charter, draft.endorsement)).toBe(draft.digest)
  })

  test('an agreement is to the charter and the own nodes', async () => {
    const body = await approve(golden, await signerOf(golden.seed))
    expect(body.charter_signature).toMatch(/^[0-9a-f]{128}$/)
    expect(body.endorsements.map(({ node_id }) => node_id)).toEqual([draft.node_id])
  })

  test('a digest of another document is not signed', async () => {
    // An operator who shows one charter must not get another one signed.
    const signer = await signerOf(golden.seed)
    const threshold = { ...golden, charter: { ...golden.charter, threshold: 1 } }
    await expect(approve(threshold, signer)).rejects.toThrow(CharterError)
    const more = { ...golden, charter: { ...golden.charter, owner: 'somebody' } }
    await expect(approve(more, signer)).rejects.toThrow(CharterError)
    const other = { ...draft, endorsement: { ...draft.endorsement, tls_key: 'ab'.repeat(32) } }
    await expect(approve({ ...golden, endorsements: [other] }, signer)).rejects.toThrow(CharterError)
  })

  test('a key that has no seat signs nothing', async () => {
    await expect(approve(golden, await signerOf('ab'.repeat(32)))).rejects.toThrow(CharterError)
  })
})
