import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Button, Card, Empty, Flex, Table, Typography } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { invitationAccept, invitationDecline, invitationList, type Invitation } from '../client'
import { answer } from '../lib/problem'
import { acceptStatement, digest } from '../lib/signing'
import { useTitle } from '../lib/title'
import { Failure } from '../parts/Failure'
import { FormModal } from '../parts/FormModal'
import { useMe } from '../parts/Frame'
import { KeyFile, signerOfForm } from '../parts/KeyFile'

export function InvitationsPage() {
  const { t } = useTranslation()
  const me = useMe()
  const queries = useQueryClient()
  useTitle(t('invitations.title'))
  const [accepting, setAccepting] = useState<Invitation>()
  const list = useQuery({
    queryKey: ['invitations'],
    queryFn: () => answer(invitationList({ query: { page_size: 200 } })),
    enabled: me.data !== undefined,
    refetchInterval: 15_000,
  })
  const again = () => queries.invalidateQueries()
  const accept = async (values: { key: string }) => {
    if (me.data === undefined || accepting === undefined) return
    const signer = await signerOfForm(values)
    const { tenant_id, tenant } = me.data
    const { id, consortium_id } = accepting
    const statement = acceptStatement(id, consortium_id, tenant_id, tenant, signer.publicKey)
    const signature = await signer.sign(await digest(statement))
    const body = { administrator_key: signer.publicKey, signature }
    await answer(invitationAccept({ path: { invitation_id: id }, body }))
    await again()
  }
  const decline = useMutation({
    mutationFn: (id: string) =>
      answer(invitationDecline({ path: { invitation_id: id }, body: {} as never })),
    onSuccess: again,
  })
  return (
    <Card>
      <Typography.Title level={1} style={{ fontSize: 22 }}>
        {t('invitations.title')}
      </Typography.Title>
      <Failure error={list.error ?? decline.error} retry={() => void list.refetch()} />
      <Table<Invitation>
        rowKey="id"
        loading={list.isPending && me.data !== undefined}
        dataSource={list.data?.items}
        pagination={false}
        scroll={{ x: 'max-content' }}
        locale={{ emptyText: <Empty description={t('invitations.empty')} /> }}
        columns={[
          { title: t('invitations.consortium'), dataIndex: 'consortium' },
          { title: t('invitations.phase'), render: (_, { phase }) => t(`invitationPhase.${phase}`) },
          {
            title: t('nodes.actions'),
            render: (_, invitation) =>
              invitation.phase === 'pending' && (
                <Flex gap={8}>
                  <Button type="primary" onClick={() => setAccepting(invitation)}>
                    {t('invitations.accept')}
                  </Button>
                  <Button
                    loading={decline.isPending && decline.variables === invitation.id}
                    onClick={() => decline.mutate(invitation.id)}
                  >
                    {t('invitations.decline')}
                  </Button>
                </Flex>
              ),
          },
        ]}
      />
      <FormModal<{ key: string }>
        open={accepting !== undefined}
        title={t('invitations.acceptTitle', { name: accepting?.consortium })}
        submit={t('invitations.accept')}
        close={() => setAccepting(undefined)}
        send={accept}
      >
        <KeyFile />
      </FormModal>
    </Card>
  )
}
