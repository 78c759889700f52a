import { expect, test } from 'vitest'

import type { Node } from '../client'
import { agreement } from './agreement'

const NOW = Date.parse('2026-01-01T00:00:10Z')
const node = (id: string, height: number, root: string, at = '2026-01-01T00:00:09Z') =>
  ({ id, phase: 'running', observation: { height, root, root_height: height, peers: 3, at } }) as Node

test('roots are compared at equal heights only', () => {
  // Nodes are asked one after the other: a block in between must not look like a fork.
  const all = [node('a', 7, 'x'), node('b', 7, 'x'), node('c', 7, 'y'), node('d', 8, 'z')]
  expect(all.map((one) => agreement(one, all, NOW))).toEqual(['agrees', 'agrees', 'differs', 'agrees'])
})

test('a node that lags or says nothing is shown as such', () => {
  const all = [node('a', 90, 'x'), node('b', 50, 'y'), node('c', 90, 'x', '2025-12-31T23:00:00Z')]
  expect(all.map((one) => agreement(one, all, NOW))).toEqual(['agrees', 'behind', 'silent'])
})
