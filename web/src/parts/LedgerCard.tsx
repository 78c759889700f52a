import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Alert, Button, Card, Form, Select, Space, Tag } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { ledgerCharter, ledgerLaunch, nodeCreate, type Ledger } from '../client'
import { answer } from '../lib/problem'
import { Approve } from './Approve'
import { Failure } from './Failure'
import { FormModal } from './FormModal'
import { useMe } from './Frame'
import { LedgerHealthAlert } from './Health'
import { Incidents } from './Incidents'
import { NameItem } from './NameItem'
import { SizeItems, type Size } from './NodeSize'
import { NodeTable, useNodes } from './NodeTable'
import { useClusters } from './useClusters'

/** Nodes that a launch needs: the service decides, this only tells. */
const needed = ({ policy, development }: Ledger) => (policy === 'cft' ? (development ? 1 : 3) : 4)

/** A ledger with its nodes, its launch and what was found wrong. */
export function LedgerCard({ ledger, owner }: { ledger: Ledger; owner: boolean }) {
  const { t } = useTranslation()
  const me = useMe()
  const queries = useQueryClient()
  const [adding, setAdding] = useState(false)
  const [approving, setApproving] = useState(false)
  const path = { ledger_id: ledger.id }
  const launching = ledger.phase === 'launching'
  const nodes = useNodes(ledger)
  const clusters = useClusters()
  const charter = useQuery({
    queryKey: ['charter', ledger.id],
    queryFn: () => answer(ledgerCharter({ path })),
    enabled: launching,
    refetchInterval: 2_000,
  })
  const again = () =>
    Promise.all([
      queries.invalidateQueries({ queryKey: ['ledgers'] }),
      queries.invalidateQueries({ queryKey: ['nodes', ledger.id] }),
      queries.invalidateQueries({ queryKey: ['operations'] }),
    ])
  const launch = useMutation({
    mutationFn: () => answer(ledgerLaunch({ path, body: {} as never })),
    onSuccess: again,
  })
  const missing = launching
    ? charter.data?.members.filter((member) => !member.approved)
    : undefined
  const mine = missing?.some((member) => member.name === me.data?.tenant) ?? false
  const draft = ledger.phase === 'draft' || ledger.phase === 'failed'
  const count = nodes.data?.items.length ?? 0
  return (
    <Card
      title={
        <h2 style={{ fontSize: 18, margin: 0 }}>
          {ledger.name} <Tag>{ledger.policy}</Tag> <Tag>{t(`ledgerPhase.${ledger.phase}`)}</Tag>
        </h2>
      }
      extra={
        <Space wrap>
          {draft && <Button onClick={() => setAdding(true)}>{t('nodes.add')}</Button>}
          {draft && owner && (
            <Button type="primary" loading={launch.isPending} onClick={() => launch.mutate()}>
              {t('ledger.launch')}
            </Button>
          )}
          {mine && (
            <Button type="primary" onClick={() => setApproving(true)}>
              {t('ledger.approve')}
            </Button>
          )}
        </Space>
      }
    >
      <Failure error={launch.error} />
      {ledger.health != null && <LedgerHealthAlert health={ledger.health} />}
      {ledger.reason != null && (
        <Alert
          type="error"
          showIcon
          title={t(`reason.${ledger.reason}`)}
          style={{ marginBottom: 16 }}
        />
      )}
      {ledger.phase === 'draft' && nodes.data !== undefined && (
        <Alert
          type="info"
          showIcon
          style={{ marginBottom: 16 }}
          title={
            count < needed(ledger)
              ? t('ledger.draftHelp', { count, needed: needed(ledger) })
              : t('ledger.readyHelp')
          }
        />
      )}
      {launching && (
        <Alert
          type={mine ? 'warning' : 'info'}
          showIcon
          role="status"
          style={{ marginBottom: 16 }}
          title={
            missing === undefined
              ? t('ledger.enrolling')
              : t('ledger.waiting', { names: missing.map((member) => member.name).join(', ') })
          }
          description={mine && t('ledger.signNow')}
        />
      )}
      <NodeTable ledger={ledger} />
      {ledger.phase === 'running' && <Incidents ledger={ledger} />}
      <FormModal<{ name: string; runtime?: string } & Size>
        open={adding}
        title={t('nodes.add')}
        submit={t('nodes.add')}
        close={() => setAdding(false)}
        send={async (body) => {
          await answer(nodeCreate({ path, body }))
          void again()
        }}
      >
        <NameItem help={t('form.nodeHelp')} />
        {(clusters.data?.items.length ?? 0) > 0 && (
          <Form.Item name="runtime" label={t('nodes.runtime')} initialValue="process">
            <Select
              options={[
                { value: 'process', label: t('nodes.process') },
                ...(clusters.data?.items ?? []).map(({ name }) => ({ value: name, label: name })),
              ]}
            />
          </Form.Item>
        )}
        <Form.Item noStyle dependencies={['runtime']}>
          {({ getFieldValue }) =>
            (getFieldValue('runtime') ?? 'process') !== 'process' && (
              <SizeItems size="small" volume={10} least={1} />
            )
          }
        </Form.Item>
      </FormModal>
      <Approve
        ledger={ledger}
        charter={charter.data}
        open={approving}
        close={() => setApproving(false)}
        done={() => charter.refetch()}
      />
    </Card>
  )
}
