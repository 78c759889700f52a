import { Alert, Button } from 'antd'
import { useTranslation } from 'react-i18next'

import { CharterError } from '../lib/charter'
import { Refused } from '../lib/problem'
import { KeyError } from '../lib/signing'

interface Props {
  error: unknown
  /** Asks again, where that may help. */
  retry?: () => void
}

/** What went wrong, in the reader's language, with the request's number for whoever helps. */
export function Failure({ error, retry }: Props) {
  const { t, i18n } = useTranslation()
  if (error === null || error === undefined) return null
  const action = retry && (
    <Button size="small" onClick={retry}>
      {t('app.retry')}
    </Button>
  )
  if (error instanceof KeyError) return <Alert type="error" showIcon title={t('form.keyBad')} />
  if (error instanceof CharterError) {
    return <Alert type="error" showIcon title={t('ledger.charterBad')} description={error.message} />
  }
  const problem = error instanceof Refused ? error.problem : undefined
  if (problem === undefined) {
    return <Alert type="error" showIcon title={t('problem.no_answer')} action={action} />
  }
  const key = `problem.${problem.code}`
  // A newer service may know codes that this console does not: its own words then.
  const title = i18n.exists(key) ? t(key as 'problem.forbidden') : problem.title
  return (
    <Alert
      type="error"
      showIcon
      title={title}
      action={action}
      description={
        <>
          <div>{problem.detail}</div>
          {problem.errors?.map((one) => (
            <div key={one.pointer}>
              <code>{one.pointer}</code> {one.detail}
            </div>
          ))}
          <small style={{ overflowWrap: 'anywhere' }}>
            {t('problem.request', { id: problem.request_id })}
          </small>
        </>
      }
    />
  )
}
