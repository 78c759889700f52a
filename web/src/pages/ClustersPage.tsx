import { useQueryClient } from '@tanstack/react-query'
import { Button, Card, Empty, Flex, Form, Input, Table, Typography } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { clusterCreate, type Cluster } from '../client'
import { answer } from '../lib/problem'
import { useTitle } from '../lib/title'
import { Failure } from '../parts/Failure'
import { FormModal } from '../parts/FormModal'
import { useMe } from '../parts/Frame'
import { NameItem } from '../parts/NameItem'
import { useClusters } from '../parts/useClusters'

/** A clock that differs by more than this is told, milliseconds. */
const SKEW_TOLERATED = 2_000

interface Registration {
  name: string
  kubeconfig: string
  image: string
}

/** Where nodes can run; the operator of the platform registers them here. */
export function ClustersPage() {
  const { t } = useTranslation()
  const me = useMe()
  const queries = useQueryClient()
  useTitle(t('clusters.title'))
  const [registering, setRegistering] = useState(false)
  const list = useClusters()
  const operates = me.data?.role === 'platform_operator'
  const register = async ({ name, kubeconfig, image }: Registration) => {
    const access = { kind: 'kubeconfig', kubeconfig } as const
    await answer(clusterCreate({ body: { name, access, settings: { image } } }))
    await queries.invalidateQueries({ queryKey: ['clusters'] })
  }
  return (
    <Card>
      <Flex justify="space-between" align="center" wrap gap={8}>
        <Typography.Title level={1} style={{ fontSize: 22 }}>
          {t('clusters.title')}
        </Typography.Title>
        {operates && (
          <Button type="primary" onClick={() => setRegistering(true)}>
            {t('clusters.register')}
          </Button>
        )}
      </Flex>
      <Failure error={list.error} retry={() => void list.refetch()} />
      <Table<Cluster>
        rowKey="id"
        loading={list.isPending && me.data !== undefined}
        dataSource={list.data?.items}
        pagination={false}
        scroll={{ x: 'max-content' }}
        locale={{ emptyText: <Empty description={t('clusters.empty')} /> }}
        columns={[
          { title: t('form.name'), dataIndex: 'name' },
          { title: t('clusters.state'), render: (_, cluster) => <State cluster={cluster} /> },
          ...(operates
            ? [
                { title: t('clusters.version'), render: (_: unknown, { report }: Cluster) => report?.version },
                { title: t('clusters.storage'), render: (_: unknown, cluster: Cluster) => <Storage cluster={cluster} /> },
              ]
            : []),
        ]}
      />
      <FormModal<Registration>
        open={registering}
        title={t('clusters.register')}
        submit={t('clusters.register')}
        close={() => setRegistering(false)}
        send={register}
      >
        <Typography.Paragraph type="secondary">{t('clusters.registerHelp')}</Typography.Paragraph>
        <NameItem />
        <Form.Item
          name="image"
          label={t('clusters.image')}
          rules={[{ required: true, pattern: /^[^@\s]+@sha256:[0-9a-f]{64}$/, message: t('clusters.imageBad') }]}
        >
          <Input />
        </Form.Item>
        <Form.Item name="kubeconfig" label={t('clusters.kubeconfig')} rules={[{ required: true }]}>
          <Input.TextArea rows={6} autoComplete="off" spellCheck={false} />
        </Form.Item>
      </FormModal>
    </Card>
  )
}

function State({ cluster: { phase, report } }: { cluster: Cluster }) {
  const { t, i18n } = useTranslation()
  const skew = report?.clock_skew_ms ?? 0
  const seconds = new Intl.NumberFormat(i18n.language, { maximumFractionDigits: 1 })
  return (
    <>
      {t(`clusterPhase.${phase}`)}
      {report?.problem != null && <div>{report.problem}</div>}
      {report?.network_policy_enforced === false && <div>{t('clusters.policiesIgnored')}</div>}
      {report?.network_problem != null && <div>{report.network_problem}</div>}
      {Math.abs(skew) > SKEW_TOLERATED && (
        <div>{t('clusters.skew', { seconds: seconds.format(skew / 1_000) })}</div>
      )}
      {(report?.strangers?.length ?? 0) > 0 && (
        <div>{t('clusters.strangers', { names: report?.strangers?.join(', ') })}</div>
      )}
    </>
  )
}

function Storage({ cluster }: { cluster: Cluster }) {
  const { t } = useTranslation()
  const classes = cluster.report?.storage_classes ?? []
  return classes.map(({ name, default: usual }) => (
    <div key={name}>{usual ? t('clusters.storageDefault', { name }) : name}</div>
  ))
}
