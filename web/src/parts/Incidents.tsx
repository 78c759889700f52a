import { useQuery } from '@tanstack/react-query'
import { Empty, Table } from 'antd'
import { useTranslation } from 'react-i18next'

import { incidentList, type Incident, type Ledger } from '../client'
import { answer } from '../lib/problem'
import { Failure } from './Failure'
import { useNodes } from './NodeTable'

/** What nodes found wrong, and what was put right. */
export function Incidents({ ledger }: { ledger: Ledger }) {
  const { t, i18n } = useTranslation()
  const nodes = useNodes(ledger)
  const list = useQuery({
    queryKey: ['incidents', ledger.id],
    queryFn: () => answer(incidentList({ path: { ledger_id: ledger.id } })),
    refetchInterval: 15_000,
  })
  const date = new Intl.DateTimeFormat(i18n.language, { dateStyle: 'short', timeStyle: 'medium' })
  const name = (id: string | null | undefined) =>
    nodes.data?.items.find((node) => node.id === id)?.name ?? id
  return (
    <section aria-label={t('ledger.incidents')}>
      <h3 style={{ fontSize: 16 }}>{t('ledger.incidents')}</h3>
      <Failure error={list.error} retry={() => void list.refetch()} />
      <Table<Incident>
        rowKey="id"
        size="small"
        loading={list.isPending}
        dataSource={list.data?.items}
        pagination={false}
        scroll={{ x: 'max-content' }}
        locale={{
          emptyText: (
            <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('ledger.noIncidents')} />
          ),
        }}
        columns={[
          {
            title: t('incident.opened'),
            render: (_, { opened_at }) => date.format(new Date(opened_at)),
          },
          { title: t('incident.node'), render: (_, { node_id }) => name(node_id) },
          {
            title: t('incident.what'),
            render: (_, { kind, summary }) => (
              <>
                <strong>{t(`incidentKind.${kind}`)}</strong>
                <div style={{ maxWidth: 480, whiteSpace: 'normal' }}>{summary}</div>
              </>
            ),
          },
          {
            title: t('incident.state'),
            render: (_, { resolved_at }) =>
              resolved_at == null ? (
                <strong>{t('incident.open')}</strong>
              ) : (
                t('incident.resolved', { when: date.format(new Date(resolved_at)) })
              ),
          },
        ]}
      />
    </section>
  )
}
