import { Descriptions, Typography } from 'antd'
import { useTranslation } from 'react-i18next'

import { ledgerApprove, ledgerCharter, type Charter, type Ledger } from '../client'
import { answer } from '../lib/problem'
import { FormModal } from './FormModal'
import { KeyFile, signerOfForm } from './KeyFile'

interface Props {
  ledger: Ledger
  charter: Charter | undefined
  open: boolean
  close: () => void
  done: () => Promise<unknown>
}

/** A member signs the charter and its own nodes, after seeing what that is. */
export function Approve({ ledger, charter, open, close, done }: Props) {
  const { t } = useTranslation()
  const path = { ledger_id: ledger.id }
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
    await done()
  }
  const members = (charter?.charter as { members?: { name: string; administrator: string }[] })
    ?.members
  const nodes = charter?.endorsements.map(
    ({ endorsement }) => (endorsement as { name?: string }).name ?? '',
  )
  const key = (text: string) => (
    <Typography.Text code style={{ overflowWrap: 'anywhere' }}>
      {text}
    </Typography.Text>
  )
  return (
    <FormModal<{ key: string }>
      open={open}
      title={t('ledger.approveTitle', { name: ledger.name })}
      submit={t('ledger.approve')}
      close={close}
      send={approve}
    >
      <p>{t('ledger.approveHelp')}</p>
      <Descriptions
        column={1}
        size="small"
        layout="vertical"
        items={[
          {
            key: 'members',
            label: t('ledger.signers'),
            children: (
              <ul style={{ margin: 0, paddingInlineStart: 20 }}>
                {members?.map(({ name, administrator }) => (
                  <li key={name}>
                    {name} {key(administrator)}
                  </li>
                ))}
              </ul>
            ),
          },
          { key: 'nodes', label: t('ledger.signNodes'), children: nodes?.join(', ') },
          { key: 'digest', label: t('ledger.digest'), children: charter && key(charter.digest) },
        ]}
      />
      <KeyFile />
    </FormModal>
  )
}
