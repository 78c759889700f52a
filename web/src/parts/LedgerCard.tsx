import { useMutation, useQuery } from '@tanstack/react-query'
import { Alert, Button, Card, Form, Input, Space, Tag } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import {
  incidentList,
  ledgerApprove,
  ledgerCharter,
  ledgerLaunch,
  nodeCreate,
  type Ledger,
} from '../client'
import { answer } from '../lib/problem'
import { Failure } from './Failure'
import { FormModal } from './FormModal'
import { useMe } from './Frame'
import { KeyFile, signerOfForm } from './KeyFile'
import { NodeTable } from './NodeTable'

/** A ledger with its nodes, its launch and what was found wrong. */
export function LedgerCard({ ledger, owner }: { ledger: Ledger; owner: boolean }) {
  const { t, i18n } = useTranslation()
  const me = useMe()
  const [adding, setAdding] = useState(false)
  const [approving, setApproving] = useState(false)
  const path = { ledger_id: ledger.id }
  const launching = ledger.phase === 'launching'
  const charter = useQuery({
    queryKey: ['charter', ledger.id],
    queryFn: () => answer(ledgerCharter({ path })),
    enabled: launching,
    refetchInterval: 2_000,
  })
  const incidents = useQuery({
    queryKey: ['incidents', ledger.id],
    queryFn: () => answer(incidentList({ path })),
    enabled: ledger.phase === 'running',
    refetchInterval: 5_000,
  })
  const launch = useMutation({
    mutationFn: () => answer(ledgerLaunch({ path, body: {} as never })),
  })
  const approve = async (values: { key: string }) => {
    const signer = await signerOfForm(values)
    const shown = await answer(ledgerCharter({ path }))
    const endorsements = await Promise.all(
      shown.endorsements.map(async ({ node_id, digest }) => ({
        node_id,
        signature: await signer.sign(digest),
      })),
    )
    const charter_signature = await signer.sign(shown.digest)
    await answer(ledgerApprove({ path, body: { charter_signature, endorsements } }))
    await charter.refetch()
  }
  const missing = launching
    ? charter.data?.members.filter((member) => !member.approved)
    : undefined
  const mine = missing?.some((member) => member.name === me.data?.tenant) ?? false
  const draft = ledger.phase === 'draft' || ledger.phase === 'failed'
  const date = new Intl.DateTimeFormat(i18n.language, { dateStyle: 'short', timeStyle: 'medium' })
  return (
    <Card
      title={
        <h2 style={{ fontSize: 18, margin: 0 }}>
          {ledger.name} <Tag>{ledger.policy}</Tag> <Tag>{t(`ledgerPhase.${ledger.phase}`)}</Tag>
        </h2>
      }
      extra={
        <Space>
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
      {missing !== undefined && missing.length > 0 && (
        <Alert
          type="info"
          showIcon
          title={t('ledger.waiting', { names: missing.map((member) => member.name).join(', ') })}
        />
      )}
      {ledger.reason != null && (
        <Alert type="error" showIcon title={t(`reason.${ledger.reason}`)} />
      )}
      <NodeTable ledger={ledger} />
      {ledger.phase === 'running' && (
        <section>
          <h3 style={{ fontSize: 16 }}>{t('ledger.incidents')}</h3>
          {incidents.data?.items.length === 0 && <p>{t('ledger.noIncidents')}</p>}
          <ul style={{ paddingInlineStart: 20 }}>
            {incidents.data?.items.map((incident) => (
              <li key={incident.id}>
                {date.format(new Date(incident.opened_at))} · {t(`incidentKind.${incident.kind}`)} ·{' '}
                {incident.summary} ·{' '}
                <strong>
                  {incident.resolved_at == null
                    ? t('incident.open')
                    : t('incident.resolved', { when: date.format(new Date(incident.resolved_at)) })}
                </strong>
              </li>
            ))}
          </ul>
        </section>
      )}
      <FormModal<{ name: string }>
        open={adding}
        title={t('nodes.add')}
        submit={t('nodes.add')}
        close={() => setAdding(false)}
        send={(body) => answer(nodeCreate({ path, body }))}
      >
        <Form.Item
          name="name"
          label={t('form.name')}
          rules={[{ required: true, pattern: /^[a-z][a-z0-9-]{0,62}$/, message: t('form.nameRule') }]}
        >
          <Input />
        </Form.Item>
      </FormModal>
      <FormModal<{ key: string }>
        open={approving}
        title={t('ledger.approveTitle', { name: ledger.name })}
        submit={t('ledger.approve')}
        close={() => setApproving(false)}
        send={approve}
      >
        <p>{t('ledger.approveHelp')}</p>
        <KeyFile />
      </FormModal>
    </Card>
  )
}
