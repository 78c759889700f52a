// What a member signs before a ledger begins, computed here from the documents that it is shown: a
// digest that the service gives could be another document's.

import { type Signer, digest, fromHex } from './signing'

/** The document is not what was expected, or its digest is another one's. */
export class CharterError extends Error {}

const SUITES = { 'ed25519-sha256': 1 } as const
const POLICIES = { bft: 1, cft: 2 } as const

/** The founding document of a ledger, as its nodes read it. */
export interface CharterDocument {
  ledger: string
  name: string
  suite: keyof typeof SUITES
  policy: keyof typeof POLICIES
  development: boolean
  members: { name: string; administrator: string }[]
  threshold: number
  anchor: string | null
  ca_certificate: string
}

/** A node's identity, as its member signs it. */
export interface EndorsementDocument {
  node: string
  name: string
  member: number
  consensus_key: string
  tls_key: string
}

/** The ledger's canonical encoding (Borsh): little-endian numbers, lengths before what varies. */
class Encoder {
  private readonly parts: number[] = []

  number(value: number, bytes: 1 | 2 | 4): this {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * bytes)) {
      throw new CharterError(`${value} is no number of ${bytes} bytes`)
    }
    for (let n = 0; n < bytes; n += 1) this.parts.push(Math.floor(value / 2 ** (8 * n)) % 256)
    return this
  }

  /** Bytes of a fixed number, from hexadecimal digits; hyphens between them do not count. */
  fixed(hex: string, bytes: number): this {
    const read = fromHex(hex.replaceAll('-', ''))
    if (read.length !== bytes) throw new CharterError(`${hex} has not ${bytes} bytes`)
    this.parts.push(...read)
    return this
  }

  text(value: string): this {
    const bytes = new TextEncoder().encode(value)
    this.number(bytes.length, 4)
    this.parts.push(...bytes)
    return this
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.parts)
  }
}

/** A word of a closed list as its number. */
function word<W extends Record<string, number>>(words: W, value: string): number {
  const found = Object.entries(words).find(([name]) => name === value)
  if (found === undefined) throw new CharterError(`${value} is not understood`)
  return found[1]
}

/** What is not shown must not be signed: every field of a document is one of these. */
function only(document: object, fields: string[]) {
  const unknown = Object.keys(document).find((field) => !fields.includes(field))
  if (unknown !== undefined) throw new CharterError(`${unknown} is not understood`)
}

const FIELDS = [
  'ledger', 'name', 'suite', 'policy', 'development', 'members', 'threshold', 'anchor',
  'ca_certificate',
] // prettier-ignore

function encodeCharter(charter: CharterDocument): Uint8Array<ArrayBuffer> {
  only(charter, FIELDS)
  const to = new Encoder()
    .fixed(charter.ledger, 16)
    .text(charter.name)
    .number(word(SUITES, charter.suite), 1)
    .number(word(POLICIES, charter.policy), 1)
    .number(charter.development ? 1 : 0, 1)
    .number(charter.members.length, 4)
  for (const member of charter.members) {
    only(member, ['name', 'administrator'])
    to.text(member.name).fixed(member.administrator, 32)
  }
  to.number(charter.threshold, 2)
  if (charter.anchor === null) to.number(0, 1)
  else to.number(1, 1).fixed(charter.anchor, 32)
  return to.text(charter.ca_certificate).bytes()
}

/** `SHA-256(len(tag) | tag | suite | ledger | body)`, hexadecimal. */
function tagged(tag: string, charter: CharterDocument, body: Uint8Array): Promise<string> {
  const head = new Encoder().number(tag.length, 1).bytes()
  const place = new Encoder().number(word(SUITES, charter.suite), 1).fixed(charter.ledger, 16)
  const parts = [head, new TextEncoder().encode(tag), place.bytes(), body]
  return digest(Uint8Array.from(parts.flatMap((part) => [...part])))
}

/** What every member signs. */
export const charterDigest = (charter: CharterDocument): Promise<string> =>
  tagged('hansa/charter/v1', charter, encodeCharter(charter))

/** What a member signs for one of its nodes. */
export async function endorsementDigest(
  charter: CharterDocument,
  endorsement: EndorsementDocument,
): Promise<string> {
  only(endorsement, ['node', 'name', 'member', 'consensus_key', 'tls_key'])
  const body = new Encoder()
    .fixed(await charterDigest(charter), 32)
    .fixed(endorsement.node, 16)
    .text(endorsement.name)
    .number(endorsement.member, 2)
    .fixed(endorsement.consensus_key, 32)
    .fixed(endorsement.tls_key, 32)
  return tagged('hansa/endorsement/v1', charter, body.bytes())
}

/** What a member is asked to sign, as the API shows it. */
export interface Asked {
  charter: CharterDocument
  digest: string
  endorsements: { node_id: string; endorsement: EndorsementDocument; digest: string }[]
}

/** A member's agreement to exactly the documents that were shown to it. */
export async function approve(asked: Asked, signer: Signer) {
  const { charter } = asked
  const own = await charterDigest(charter)
  if (own !== asked.digest) throw new CharterError('the digest is not this charter’s')
  const seat = charter.members.findIndex((member) => member.administrator === signer.publicKey)
  if (seat < 0) throw new CharterError('the charter does not have this key')
  const endorsements = await Promise.all(
    asked.endorsements.map(async ({ node_id, endorsement, digest }) => {
      const computed = await endorsementDigest(charter, endorsement)
      if (endorsement.node !== node_id || endorsement.member !== seat || computed !== digest) {
        throw new CharterError(`the draft of ${endorsement.name} is another node’s`)
      }
      return { node_id, signature: await signer.sign(computed) }
    }),
  )
  return { charter_signature: await signer.sign(own), endorsements }
}
