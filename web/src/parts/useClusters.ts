import { useQuery } from '@tanstack/react-query'

import { clusterList } from '../client'
import { answer } from '../lib/problem'
import { useMe } from './Frame'

/** The clusters that nodes can run in. */
export const useClusters = () => {
  const me = useMe()
  return useQuery({
    queryKey: ['clusters'],
    queryFn: () => answer(clusterList({ query: { page_size: 200 } })),
    enabled: me.data !== undefined,
    refetchInterval: 5_000,
  })
}
