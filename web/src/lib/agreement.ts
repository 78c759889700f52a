import type { Node, NodeObservation } from '../client'

/** How a node stands to the others of its ledger. */
export type Agreement = 'agrees' | 'behind' | 'differs' | 'silent'

/** A node that has not been heard of for so long is silent. */
const SILENT_AFTER_MS = 10_000
/** Heights that a node may be behind while blocks travel. */
const BEHIND_TOLERATED = 2

/** Roots are compared at equal heights only: different heights have different roots. */
export function agreement(node: Node, all: Node[], now: number): Agreement | undefined {
  const own = node.observation
  if (own == null) return node.phase === 'running' ? 'silent' : undefined
  if (now - new Date(own.at).getTime() > SILENT_AFTER_MS) return 'silent'
  const others = all
    .filter((other) => other.id !== node.id)
    .map((other) => other.observation)
    .filter((heard): heard is NodeObservation => heard != null)
  const same = others.filter((other) => other.root_height === own.root_height)
  const equal = same.filter((other) => other.root === own.root).length
  if (same.length > 0 && equal * 2 < same.length) return 'differs'
  const highest = Math.max(own.height, ...others.map((other) => other.height))
  return highest - own.height > BEHIND_TOLERATED ? 'behind' : 'agrees'
}
