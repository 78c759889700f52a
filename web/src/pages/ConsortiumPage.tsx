import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { App, Button, Card, Empty, Flex, Form, Input, Select, Skeleton, Space, Tag, Typography } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import {
  consortiumGet,
  invitationCreate,
  invitationListOfConsortium,
  ledgerCreate,
  ledgerList,
  memberList,
  type ConsensusPolicy,
} from '../client'
import { answer } from '../lib/problem'
import { useTitle } from '../lib/title'
import { Failure } from '../parts/Failure'
import { FormModal } from '../parts/FormModal'
import { LedgerCard } from '../parts/LedgerCard'
import { NameItem } from '../parts/NameItem'
import { Operations } from '../parts/Operations'

export function ConsortiumPage({ id }: { id: string }) {
  const { t } = useTranslation()
  const queries = useQueryClient()
  const { message } = App.useApp()
  const [inviting, setInviting] = useState(false)
  const [creating, setCreating] = useState(false)
  const path = { consortium_id: id }
  const consortium = useQuery({
    queryKey: ['consortium', id],
    queryFn: () => answer(consortiumGet({ path })),
  })
  const members = useQuery({
    queryKey: ['members', id],
    queryFn: () => answer(memberList({ path })),
    refetchInterval: 15_000,
  })
  const owner = consortium.data?.relation === 'owner'
  const sent = useQuery({
    queryKey: ['sent', id],
    queryFn: () => answer(invitationListOfConsortium({ path })),
    enabled: owner,
    refetchInterval: 15_000,
  })
  useTitle(consortium.data?.display_name)
  const ledgers = useQuery({
    queryKey: ['ledgers', id],
    queryFn: () => answer(ledgerList({ path })),
    refetchInterval: 2_000,
  })
  const open = sent.data?.items.filter(({ phase }) => phase === 'pending').length ?? 0
  const error = consortium.error ?? members.error ?? ledgers.error
  if (consortium.data === undefined && error != null) {
    return (
      <Space orientation="vertical" size="middle" style={{ width: '100%' }}>
        <Failure error={error} retry={() => void consortium.refetch()} />
        <Link to="/app/consortiums">{t('app.toConsortiums')}</Link>
      </Space>
    )
  }
  return (
    <Space orientation="vertical" size="middle" style={{ width: '100%' }}>
      <Failure error={error} retry={() => void queries.invalidateQueries()} />
      <Card loading={consortium.isPending}>
        <Flex justify="space-between" align="center" wrap gap={12}>
          <Typography.Title level={1} style={{ fontSize: 22, margin: 0 }}>
            {consortium.data?.display_name}
          </Typography.Title>
          {owner && (
            <Space wrap>
              <Button onClick={() => setInviting(true)}>{t('consortium.invite')}</Button>
              <Button type="primary" onClick={() => setCreating(true)}>
                {t('consortium.createLedger')}
              </Button>
            </Space>
          )}
        </Flex>
        <Typography.Paragraph style={{ marginTop: 12, marginBottom: 0 }}>
          {t('consortium.members')}:{' '}
          {members.data?.items.map((member) => <Tag key={member.id}>{member.name}</Tag>)}
          {open > 0 && <Tag variant="outlined">{t('consortium.invited', { open })}</Tag>}
        </Typography.Paragraph>
      </Card>
      <Operations consortium={id} />
      {ledgers.isPending && (
        <Card>
          <Skeleton active />
        </Card>
      )}
      {ledgers.data?.items.length === 0 && (
        <Card>
          <Empty description={t('consortium.noLedgers')} />
        </Card>
      )}
      {ledgers.data?.items.map((ledger) => (
        <LedgerCard key={ledger.id} ledger={ledger} owner={owner} />
      ))}
      <FormModal<{ tenant: string }>
        open={inviting}
        title={t('consortium.invite')}
        submit={t('consortium.invite')}
        close={() => setInviting(false)}
        send={async (body) => {
          await answer(invitationCreate({ path, body }))
          void message.success(t('consortium.invitedDone', { name: body.tenant }))
          await queries.invalidateQueries({ queryKey: ['sent', id] })
        }}
      >
        <Form.Item
          name="tenant"
          label={t('consortium.tenant')}
          rules={[{ required: true, message: t('form.required') }]}
        >
          <Input autoFocus />
        </Form.Item>
      </FormModal>
      <FormModal<{ name: string; policy: ConsensusPolicy }>
        open={creating}
        title={t('consortium.createLedger')}
        submit={t('consortium.createLedger')}
        close={() => setCreating(false)}
        send={async (body) => {
          await answer(ledgerCreate({ path, body }))
          await queries.invalidateQueries({ queryKey: ['ledgers', id] })
        }}
      >
        <NameItem />
        <Form.Item name="policy" label={t('ledger.policy')} initialValue="bft">
          <Select options={['bft', 'cft'].map((value) => ({ value, label: value }))} />
        </Form.Item>
      </FormModal>
    </Space>
  )
}
