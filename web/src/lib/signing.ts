// A member's administrator key in the browser: it is read from a file, signs, and is forgotten.

/** DER of a PKCS #8 Ed25519 private key (RFC 8410), up to its 32 bytes. */
const PKCS8 = Uint8Array.from([
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
])

export class KeyError extends Error {}

export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  if (!/^([0-9a-fA-F]{2})*$/.test(text)) throw new KeyError('not hexadecimal')
  const bytes = new Uint8Array(text.length / 2)
  for (let n = 0; n < bytes.length; n += 1) bytes[n] = parseInt(text.slice(2 * n, 2 * n + 2), 16)
  return bytes
}

function fromBase64Url(text: string): Uint8Array {
  const plain = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0))
}

/** What signs for a member. */
export interface Signer {
  publicKey: string
  /** A signature over a digest, both hexadecimal. */
  sign(digest: string): Promise<string>
}

/** The key of a key file: 64 hexadecimal digits. */
export async function signerOf(file: string): Promise<Signer> {
  const text = file.trim()
  if (!/^[0-9a-fA-F]{64}$/.test(text)) throw new KeyError('a key file has 64 hexadecimal digits')
  const der = new Uint8Array(PKCS8.length + 32)
  der.set(PKCS8)
  der.set(fromHex(text), PKCS8.length)
  const key = await crypto.subtle.importKey('pkcs8', der, 'Ed25519', true, ['sign'])
  const { x } = await crypto.subtle.exportKey('jwk', key)
  if (x === undefined) throw new KeyError('no public half')
  return {
    publicKey: toHex(fromBase64Url(x)),
    sign: async (digest) => toHex(new Uint8Array(await crypto.subtle.sign('Ed25519', key, fromHex(digest)))),
  }
}

/** The bytes of a statement: `len(tag) | tag | name=value\n …`; its SHA-256 is signed. */
export function statement(tag: string, fields: [string, string][]): Uint8Array<ArrayBuffer> {
  const text = tag + fields.map(([name, value]) => `${name}=${value}\n`).join('')
  const encoded = new TextEncoder().encode(text)
  const bytes = new Uint8Array(encoded.length + 1)
  bytes[0] = tag.length
  bytes.set(encoded, 1)
  return bytes
}

export async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}

/** What a tenant signs that founds a consortium. */
export const foundStatement = (tenant: string, consortium: string, member: string, key: string) =>
  statement('hansa/consortium-found/v1', [
    ['tenant', tenant],
    ['consortium', consortium],
    ['member', member],
    ['administrator_key', key],
  ])

/** What a tenant signs that accepts an invitation. */
export const acceptStatement = (
  invitation: string,
  consortium: string,
  tenant: string,
  member: string,
  key: string,
) =>
  statement('hansa/invitation-accept/v1', [
    ['invitation', invitation],
    ['consortium', consortium],
    ['tenant', tenant],
    ['member', member],
    ['administrator_key', key],
  ])
