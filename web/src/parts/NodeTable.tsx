import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Button, Empty, Popconfirm, Space, Table, Tag, Tooltip, Typography } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { nodeList, nodeRestart, nodeStart, nodeStop, type Ledger, type Node } from '../client'
import { answer } from '../lib/problem'
import { Failure } from './Failure'
import { NodeHealthSign } from './Health'
import { ResizeNode } from './NodeSize'

const ACTIONS = { start: nodeStart, stop: nodeStop, restart: nodeRestart } as const
type Action = keyof typeof ACTIONS

/** The nodes of a ledger, of all members. */
export const useNodes = (ledger: Ledger) =>
  useQuery({
    queryKey: ['nodes', ledger.id],
    queryFn: () => answer(nodeList({ path: { ledger_id: ledger.id }, query: { page_size: 200 } })),
    // What is heard of nodes makes no events.
    refetchInterval: 2_000,
  })

/** The nodes of a ledger, alive. */
export function NodeTable({ ledger }: { ledger: Ledger }) {
  const { t, i18n } = useTranslation()
  const queries = useQueryClient()
  const list = useNodes(ledger)
  const [resizing, setResizing] = useState<Node>()
  const again = () =>
    Promise.all([
      queries.invalidateQueries({ queryKey: ['nodes', ledger.id] }),
      queries.invalidateQueries({ queryKey: ['operations'] }),
    ])
  const act = useMutation({
    mutationFn: ({ id, action }: { id: string; action: Action }) =>
      answer(ACTIONS[action]({ path: { node_id: id }, body: {} as never })),
    onSettled: again,
  })
  const number = new Intl.NumberFormat(i18n.language)
  const time = new Intl.DateTimeFormat(i18n.language, { dateStyle: 'short', timeStyle: 'medium' })
  const button = ({ id, name }: Node, action: Action) => {
    const label = `${t(`nodes.${action}`)} ${name}`
    const working = act.isPending && act.variables.id === id && act.variables.action === action
    const common = { size: 'small', 'aria-label': label, loading: working } as const
    if (action === 'start') {
      return (
        <Button key={action} {...common} onClick={() => act.mutate({ id, action })}>
          {t('nodes.start')}
        </Button>
      )
    }
    return (
      <Popconfirm
        key={action}
        title={t(`nodes.${action}Title`, { name })}
        description={t('nodes.stopHelp')}
        okText={t(`nodes.${action}`)}
        cancelText={t('form.cancel')}
        onConfirm={() => act.mutate({ id, action })}
      >
        <Button {...common}>{t(`nodes.${action}`)}</Button>
      </Popconfirm>
    )
  }
  return (
    <>
      <Failure error={list.error ?? act.error} retry={() => void list.refetch()} />
      <Table<Node>
        rowKey="id"
        size="small"
        loading={list.isPending}
        dataSource={list.data?.items}
        pagination={false}
        scroll={{ x: 'max-content' }}
        locale={{ emptyText: <Empty description={t('nodes.empty')} /> }}
        columns={[
          {
            title: t('form.name'),
            render: (_, { name, private: own }) => (
              <Space size={6}>
                {name}
                {own != null && <Tag>{t('nodes.own')}</Tag>}
              </Space>
            ),
          },
          {
            title: t('nodes.state'),
            render: (_, { phase, reason, private: own }) => (
              <>
                {t(`nodePhase.${phase}`)}
                {reason != null && <div>{t(`reason.${reason}`)}</div>}
                {own?.detail != null && (
                  <Typography.Paragraph
                    type="secondary"
                    style={{ maxWidth: 360, whiteSpace: 'pre-wrap', marginBottom: 0 }}
                    ellipsis={{ rows: 3, expandable: 'collapsible' }}
                  >
                    {own.detail}
                  </Typography.Paragraph>
                )}
              </>
            ),
          },
          {
            title: t('nodes.runtime'),
            render: (_, { private: own }) =>
              own != null && (
                <>
                  <Tooltip title={own.pod != null && `${own.namespace}/${own.pod} · ${own.machine}`}>
                    {own.runtime === 'process' ? t('nodes.process') : own.runtime}
                  </Tooltip>
                  {own.size != null && (
                    <Typography.Text type="secondary" style={{ display: 'block' }}>
                      {t('nodes.sizeShort', { size: t(`nodeSize.${own.size}`), volume: own.volume_gib })}
                    </Typography.Text>
                  )}
                </>
              ),
          },
          {
            title: t('nodes.health'),
            render: (_, { health, observation }) =>
              health != null && (
                <Tooltip
                  title={
                    observation != null &&
                    t('nodes.heard', { when: time.format(new Date(observation.at)) })
                  }
                >
                  <span>
                    <NodeHealthSign health={health} />
                  </span>
                </Tooltip>
              ),
          },
          {
            title: t('nodes.height'),
            align: 'right',
            render: (_, { observation }) => observation && number.format(observation.height),
          },
          {
            title: t('nodes.root'),
            render: (_, { observation }) =>
              observation && (
                <Tooltip title={observation.root}>
                  <Typography.Text code copyable={{ text: observation.root }}>
                    {observation.root.slice(0, 8)}
                  </Typography.Text>
                </Tooltip>
              ),
          },
          { title: t('nodes.peers'), align: 'right', render: (_, { observation }) => observation?.peers },
          {
            title: t('nodes.actions'),
            render: (_, node) =>
              node.private == null ? (
                <Tooltip title={t('nodes.notYours')}>
                  <Typography.Text type="secondary">—</Typography.Text>
                </Tooltip>
              ) : (
                <Space>
                  {(node.desired === 'running'
                    ? (['restart', 'stop'] as const)
                    : (['start'] as const)
                  ).map((action) => button(node, action))}
                  {node.private.size != null && (
                    <Button
                      size="small"
                      aria-label={`${t('nodes.resize')} ${node.name}`}
                      onClick={() => setResizing(node)}
                    >
                      {t('nodes.resize')}
                    </Button>
                  )}
                </Space>
              ),
          },
        ]}
      />
      <ResizeNode node={resizing} close={() => setResizing(undefined)} done={again} />
    </>
  )
}
