import { Descriptions, Typography } from 'antd'
import { useTranslation } from 'react-i18next'

import { ledgerApprove, type Charter, type Ledger } from '../client'
import { type Asked, approve } from '../lib/charter'
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

/** The API's type says only that these are documents. */
const asked = (charter: Charter) => charter as unknown as Asked

/** A member signs the charter and its own nodes, after seeing what that is. */
export function Approve({ ledger, charter, open, close, done }: Props) {
  const { t } = useTranslation()
  const send = async (values: { key: string }) => {
    if (charter === undefined) return
    // Exactly the documents that are shown below, whatever the service says meanwhile.
    const body = await approve(asked(charter), await signerOfForm(values))
    await answer(ledgerApprove({ path: { ledger_id: ledger.id }, body }))
    await done()
  }
  const shown = charter && asked(charter)
  const nodes = shown?.endorsements.map(({ endorsement }) => endorsement.name).join(', ')
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
      send={send}
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
                {shown?.charter.members.map(({ name, administrator }) => (
                  <li key={name}>
                    {name} {key(administrator)}
                  </li>
                ))}
              </ul>
            ),
          },
          { key: 'nodes', label: t('ledger.signNodes'), children: nodes },
          { key: 'digest', label: t('ledger.digest'), children: charter && key(charter.digest) },
        ]}
      />
      <KeyFile />
    </FormModal>
  )
}
