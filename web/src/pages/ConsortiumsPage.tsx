import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Button, Card, Empty, Flex, Form, Input, Table, Typography } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { consortiumCreate, consortiumList, type Consortium } from '../client'
import { answer } from '../lib/problem'
import { digest, foundStatement } from '../lib/signing'
import { useTitle } from '../lib/title'
import { Failure } from '../parts/Failure'
import { FormModal } from '../parts/FormModal'
import { useMe } from '../parts/Frame'
import { KeyFile, signerOfForm } from '../parts/KeyFile'
import { NameItem } from '../parts/NameItem'

interface Founding {
  name: string
  display_name: string
  key: string
}

export function ConsortiumsPage() {
  const { t, i18n } = useTranslation()
  const me = useMe()
  const queries = useQueryClient()
  useTitle(t('consortiums.title'))
  const [founding, setFounding] = useState(false)
  const list = useQuery({
    queryKey: ['consortiums'],
    queryFn: () => answer(consortiumList({ query: { page_size: 200 } })),
    enabled: me.data !== undefined,
  })
  const found = async ({ name, display_name, key }: Founding) => {
    if (me.data === undefined) return
    const signer = await signerOfForm({ key })
    const { tenant_id, tenant } = me.data
    const signed = await digest(foundStatement(tenant_id, name, tenant, signer.publicKey))
    const signature = await signer.sign(signed)
    const body = { name, display_name, administrator_key: signer.publicKey, signature }
    await answer(consortiumCreate({ body }))
    await queries.invalidateQueries({ queryKey: ['consortiums'] })
  }
  const date = new Intl.DateTimeFormat(i18n.language, { dateStyle: 'medium', timeStyle: 'short' })
  return (
    <Card>
      <Flex justify="space-between" align="center" wrap gap={12} style={{ marginBottom: 16 }}>
        <Typography.Title level={1} style={{ fontSize: 22, margin: 0 }}>
          {t('consortiums.title')}
        </Typography.Title>
        <Button type="primary" onClick={() => setFounding(true)}>
          {t('consortiums.create')}
        </Button>
      </Flex>
      <Failure error={list.error} retry={() => void list.refetch()} />
      <Table<Consortium>
        rowKey="id"
        loading={list.isPending && me.data !== undefined}
        dataSource={list.data?.items}
        pagination={false}
        scroll={{ x: 'max-content' }}
        locale={{ emptyText: <Empty description={t('consortiums.empty')} /> }}
        columns={[
          {
            title: t('form.name'),
            render: (_, { id, name, display_name }) => (
              <Link to="/app/consortiums/$consortiumId" params={{ consortiumId: id }}>
                {display_name} ({name})
              </Link>
            ),
          },
          { title: t('consortiums.role'), render: (_, { relation }) => t(`relation.${relation}`) },
          {
            title: t('consortiums.created'),
            render: (_, { created_at }) => date.format(new Date(created_at)),
          },
        ]}
      />
      <FormModal<Founding>
        open={founding}
        title={t('consortiums.create')}
        submit={t('consortiums.create')}
        close={() => setFounding(false)}
        send={found}
      >
        <NameItem />
        <Form.Item
          name="display_name"
          label={t('form.displayName')}
          rules={[{ required: true, message: t('form.required') }]}
        >
          <Input />
        </Form.Item>
        <KeyFile />
      </FormModal>
    </Card>
  )
}
