import { useQuery } from '@tanstack/react-query'
import { Alert, Card, Steps, Typography } from 'antd'
import { useTranslation } from 'react-i18next'

import { operationList, type Operation, type StepState } from '../client'
import { answer } from '../lib/problem'
import { Failure } from './Failure'

const SHOWN: Record<StepState, 'wait' | 'process' | 'finish' | 'error'> = {
  pending: 'wait',
  running: 'process',
  succeeded: 'finish',
  failed: 'error',
}

/** Failures are shown for this long after their end. */
const FAILURES_SHOWN_MS = 15 * 60 * 1000

const isOpen = ({ state }: Operation): boolean => state === 'pending' || state === 'running'

const isNews = (operation: Operation): boolean =>
  isOpen(operation) ||
  (operation.state === 'failed' &&
    Date.now() - new Date(operation.finished_at ?? 0).getTime() < FAILURES_SHOWN_MS)

/** What is in progress in a consortium, and what has failed lately, with the next step. */
export function Operations({ consortium }: { consortium: string }) {
  const { t, i18n } = useTranslation()
  const list = useQuery({
    queryKey: ['operations'],
    queryFn: () => answer(operationList({ query: { page_size: 50 } })),
    refetchInterval: 5_000,
  })
  const time = new Intl.DateTimeFormat(i18n.language, { timeStyle: 'medium' })
  const news = list.data?.items.filter((o) => o.target.consortium_id === consortium && isNews(o))
  if (list.error != null) {
    return <Failure error={list.error} retry={() => void list.refetch()} />
  }
  if (news === undefined || news.length === 0) return null
  return (
    <Card title={<h2 style={{ fontSize: 18, margin: 0 }}>{t('operations.title')}</h2>} aria-live="polite">
      {news.map((operation) => (
        <section key={operation.id} style={{ marginBottom: 16 }}>
          <strong>{t(`operationKind.${operation.kind}`)}</strong>
          {isOpen(operation) && (
            <Typography.Text type="secondary">
              {' · '}
              {t('operations.deadline', { when: time.format(new Date(operation.deadline_at)) })}
            </Typography.Text>
          )}
          <Steps
            size="small"
            style={{ marginTop: 8 }}
            items={operation.steps.map((step) => ({
              title: t(`step.${step.name}` as 'step.start'),
              status: SHOWN[step.state],
            }))}
          />
          {operation.reason != null && (
            <Alert
              type="error"
              showIcon
              style={{ marginTop: 8 }}
              title={t(`reason.${operation.reason}`)}
              description={
                operation.next_action != null &&
                operation.next_action !== 'none' &&
                t('operations.next', { text: t(`next.${operation.next_action}`) })
              }
            />
          )}
        </section>
      ))}
    </Card>
  )
}
