import {
  CheckCircleOutlined,
  ClockCircleOutlined,
  CloseCircleOutlined,
  MinusCircleOutlined,
  QuestionCircleOutlined,
  ToolOutlined,
  WarningOutlined,
} from '@ant-design/icons'
import { Alert, Space, theme } from 'antd'
import type { ComponentType, CSSProperties } from 'react'
import { useTranslation } from 'react-i18next'

import type { LedgerHealth, NodeHealth } from '../client'

type Sign = ComponentType<{ style?: CSSProperties }>
type Colour = 'colorSuccess' | 'colorWarning' | 'colorError' | 'colorTextSecondary'

// Never by colour alone: each has its sign and its word.
const NODE_SIGNS: Record<NodeHealth, [Sign, Colour]> = {
  agreeing: [CheckCircleOutlined, 'colorSuccess'],
  catching_up: [ClockCircleOutlined, 'colorWarning'],
  not_voting: [ToolOutlined, 'colorWarning'],
  isolated: [WarningOutlined, 'colorError'],
  diverged: [CloseCircleOutlined, 'colorError'],
  unreachable: [QuestionCircleOutlined, 'colorError'],
  stopped: [MinusCircleOutlined, 'colorTextSecondary'],
}

/** How a node stands to the others. */
export function NodeHealthSign({ health }: { health: NodeHealth }) {
  const { t } = useTranslation()
  const { token } = theme.useToken()
  const [Sign, colour] = NODE_SIGNS[health]
  return (
    <Space size={6} style={{ whiteSpace: 'nowrap' }}>
      <Sign style={{ color: token[colour] }} />
      {t(`nodeHealth.${health}`)}
    </Space>
  )
}

const LEDGER_TYPES = {
  agreeing: 'success',
  degraded: 'warning',
  halted: 'error',
  unknown: 'warning',
} as const

/** How a ledger does, why, and what comes next. */
export function LedgerHealthAlert({ health }: { health: LedgerHealth }) {
  const { t } = useTranslation()
  const { state, reason, participating, nodes, needed } = health
  const words = [
    t('health.taking', { participating, nodes, needed }),
    reason != null && t(`healthReason.${reason}`),
    state === 'degraded' && t('health.goesOn'),
    state === 'halted' && t('health.haltedHelp'),
  ]
  return (
    <Alert
      type={LEDGER_TYPES[state]}
      showIcon
      role="status"
      title={t(`ledgerState.${state}`)}
      description={words.filter(Boolean).join(' ')}
      style={{ marginBottom: 16 }}
    />
  )
}
