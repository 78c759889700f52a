import { useQuery } from '@tanstack/react-query'
import { Alert, Card, Steps } from 'antd'
import { useTranslation } from 'react-i18next'

import { operationList, type Operation, type StepState } from '../client'
import { answer } from '../lib/problem'

const SHOWN: Record<StepState, 'wait' | 'process' | 'finish' | 'error'> = {
  pending: 'wait',
  running: 'process',
  succeeded: 'finish',
  failed: 'error',
}

/** Failures are shown for this long after their end. */
const FAILURES_SHOWN_MS = 15 * 60 * 1000

const isNews = (operation: Operation): boolean =>
  operation.state === 'pending' ||
  operation.state === 'running' ||
  (operation.state === 'failed' &&
    Date.now() - new Date(operation.finished_at ?? 0).getTime() < FAILURES_SHOWN_MS)

/** What is in progress in a consortium, and what has failed lately, with the next step. */
export function Operations({ consortium }: { consortium: string }) {
  const { t } = useTranslation()
  const list = useQuery({
    queryKey: ['operations'],
    queryFn: () => answer(operationList({ query: { page_size: 50 } })),
    refetchInterval: 1_000,
  })
  const news = list.data?.items.filter((o) => o.target.consortium_id === consortium && isNews(o))
  if (news === undefined || news.length === 0) return null
  return (
    <Card title={t('operations.title')} aria-live="polite">
      {news.map((operation) => (
        <section key={operation.id} style={{ marginBottom: 16 }}>
          <strong>{t(`operationKind.${operation.kind}`)}</strong>
          <Steps
            size="small"
            items={operation.steps.map((step) => ({
              title: t(`step.${step.name}` as 'step.start'),
              status: SHOWN[step.state],
            }))}
          />
          {operation.reason != null && (
            <Alert
              type="error"
              showIcon
              title={t(`reason.${operation.reason}`)}
              description={t(`next.${operation.next_action ?? 'none'}`)}
            />
          )}
        </section>
      ))}
    </Card>
  )
}
