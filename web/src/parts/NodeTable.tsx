import {
  CheckCircleOutlined,
  ClockCircleOutlined,
  CloseCircleOutlined,
  WarningOutlined,
} from '@ant-design/icons'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Button, Empty, Space, Table, Typography, theme } from 'antd'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { nodeList, nodeRestart, nodeStart, nodeStop, type Ledger, type Node } from '../client'
import { agreement, type Agreement } from '../lib/agreement'
import { answer } from '../lib/problem'
import { Failure } from './Failure'

const ACTIONS = { start: nodeStart, stop: nodeStop, restart: nodeRestart } as const

/** The nodes of a ledger, alive. */
export function NodeTable({ ledger }: { ledger: Ledger }) {
  const { t, i18n } = useTranslation()
  const { token } = theme.useToken()
  const list = useQuery({
    queryKey: ['nodes', ledger.id],
    queryFn: () => answer(nodeList({ path: { ledger_id: ledger.id }, query: { page_size: 200 } })),
    refetchInterval: 1_000,
  })
  const act = useMutation({
    mutationFn: ({ id, action }: { id: string; action: keyof typeof ACTIONS }) =>
      answer(ACTIONS[action]({ path: { node_id: id }, body: {} as never })),
  })
  const nodes = list.data?.items ?? []
  const number = new Intl.NumberFormat(i18n.language)
  // Never by colour alone: each state has its sign and its word.
  const signs: Record<Agreement, ReactNode> = {
    agrees: <CheckCircleOutlined style={{ color: token.colorSuccess }} />,
    behind: <ClockCircleOutlined style={{ color: token.colorWarning }} />,
    differs: <CloseCircleOutlined style={{ color: token.colorError }} />,
    silent: <WarningOutlined style={{ color: token.colorWarning }} />,
  }
  const health = (node: Node) => {
    const found = agreement(node, nodes, Date.now())
    if (found === undefined) return null
    return (
      <Space size={4}>
        {signs[found]} {t(`nodes.${found}`)}
      </Space>
    )
  }
  return (
    <>
      <Failure error={list.error ?? act.error} />
      <Table<Node>
        rowKey="id"
        size="small"
        loading={list.isPending}
        dataSource={nodes}
        pagination={false}
        locale={{ emptyText: <Empty description={t('nodes.empty')} /> }}
        columns={[
          { title: t('form.name'), dataIndex: 'name' },
          {
            title: t('nodes.state'),
            render: (_, { phase, reason }) => (
              <>
                {t(`nodePhase.${phase}`)}
                {reason != null && <div>{t(`reason.${reason}`)}</div>}
              </>
            ),
          },
          {
            title: t('nodes.height'),
            align: 'right',
            render: (_, { observation }) => observation && number.format(observation.height),
          },
          {
            title: t('nodes.root'),
            render: (_, node) => (
              <Space>
                <Typography.Text code>{node.observation?.root.slice(0, 8)}</Typography.Text>
                {health(node)}
              </Space>
            ),
          },
          { title: t('nodes.peers'), align: 'right', render: (_, { observation }) => observation?.peers },
          {
            title: t('nodes.actions'),
            render: (_, { id, name, desired, private: own }) =>
              own != null && (
                <Space>
                  {(desired === 'running' ? (['restart', 'stop'] as const) : (['start'] as const)).map(
                    (action) => (
                      <Button
                        key={action}
                        size="small"
                        aria-label={`${t(`nodes.${action}`)} ${name}`}
                        onClick={() => act.mutate({ id, action })}
                      >
                        {t(`nodes.${action}`)}
                      </Button>
                    ),
                  )}
                </Space>
              ),
          },
        ]}
      />
    </>
  )
}
