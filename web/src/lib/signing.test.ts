import { describe, expect, test } from 'vitest'

import { KeyError, acceptStatement, digest, signerOf } from './signing'

// RFC 8032, section 7.1, test 1: a key that every implementation knows.
const SEED = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'
const PUBLIC = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'

describe('a member signs in the browser', () => {
  test('a key file gives the key that the ledger knows', async () => {
    expect((await signerOf(`${SEED}\n`)).publicKey).toBe(PUBLIC)
  })

  test('the bytes of a statement are those that the API checks', () => {
    // The same layout is fixed by a test of services/types/src/statement.rs.
    const one = '00000000-0000-0000-0000-000000000001'
    const bytes = acceptStatement(one, one, one, 'beta', 'ab'.repeat(32))
    expect(new TextDecoder().decode(bytes)).toBe(
      `\u001ahansa/invitation-accept/v1invitation=${one}\nconsortium=${one}\ntenant=${one}\n` +
        `member=beta\nadministrator_key=${'ab'.repeat(32)}\n`,
    )
  })

  test('a signature is over the digest and has 64 bytes', async () => {
    const signed = await (await signerOf(SEED)).sign(await digest(new Uint8Array()))
    expect(signed).toMatch(/^[0-9a-f]{128}$/)
  })

  test('what is no key file is refused', async () => {
    await expect(signerOf('hello')).rejects.toThrow(KeyError)
  })
})
