import { useEffect } from 'react'

/** Names the page for tabs, histories and screen readers. */
export function useTitle(name: string | undefined): void {
  useEffect(() => {
    document.title = name === undefined ? 'Hansa' : `${name} · Hansa`
  }, [name])
}
