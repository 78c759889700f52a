import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'

import type { EventKind } from '../client'

/** What is read anew when something of a kind has changed: the first words of query keys. */
const TOUCHED: Record<EventKind, string[]> = {
  consortium: ['consortiums', 'consortium'],
  member: ['members', 'sent'],
  invitation: ['invitations', 'sent', 'members'],
  ledger: ['ledgers', 'charter'],
  node: ['nodes', 'ledgers', 'charter'],
  operation: ['operations'],
  incident: ['incidents', 'nodes', 'ledgers'],
}

/** Pauses between two attempts to reach a service that refuses the stream. */
const PAUSE_MS_MIN = 1_000
const PAUSE_MS_MAX = 15_000
/** A break as short as a restart of the service is nobody's business. */
const BREAK_MS_TOLERATED = 2_500

/**
 * Follows the service's events while `wanted`, and reads anew what they touch. Browsers go on after
 * a break by themselves, with the last event that they saw; a stream that was refused is opened
 * again here, and then everything is read anew.
 *
 * Says whether the connection is there.
 */
export function useLive(wanted: boolean): boolean {
  const queries = useQueryClient()
  const [connected, setConnected] = useState(true)
  useEffect(() => {
    if (!wanted) return
    let source: EventSource | undefined
    let pause = PAUSE_MS_MIN
    let again: ReturnType<typeof setTimeout> | undefined
    let broken: ReturnType<typeof setTimeout> | undefined
    let interrupted = false
    const open = () => {
      source = new EventSource('/v1/events')
      source.onopen = () => {
        clearTimeout(broken)
        broken = undefined
        pause = PAUSE_MS_MIN
        setConnected(true)
        if (interrupted) void queries.invalidateQueries()
        interrupted = false
      }
      source.onerror = () => {
        interrupted = true
        broken ??= setTimeout(() => setConnected(false), BREAK_MS_TOLERATED)
        if (source?.readyState !== EventSource.CLOSED) return
        again = setTimeout(open, pause)
        pause = Math.min(pause * 2, PAUSE_MS_MAX)
        // A session that has ended shows itself here.
        void queries.invalidateQueries({ queryKey: ['me'] })
      }
      for (const [kind, touched] of Object.entries(TOUCHED)) {
        source.addEventListener(kind, () => {
          for (const key of touched) void queries.invalidateQueries({ queryKey: [key] })
        })
      }
    }
    open()
    return () => {
      source?.close()
      clearTimeout(again)
      clearTimeout(broken)
      setConnected(true)
    }
  }, [wanted, queries])
  return connected
}
