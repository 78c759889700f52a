import { Alert } from 'antd'
import { useTranslation } from 'react-i18next'

import { Refused } from '../lib/problem'
import { KeyError } from '../lib/signing'

/** What went wrong, in the reader's language, with the request's id for whoever helps. */
export function Failure({ error }: { error: unknown }) {
  const { t, i18n } = useTranslation()
  if (error === null || error === undefined) return null
  if (error instanceof KeyError) return <Alert type="error" showIcon title={t('form.keyBad')} />
  const problem = error instanceof Refused ? error.problem : undefined
  if (problem === undefined) return <Alert type="error" showIcon title={t('problem.no_answer')} />
  const key = `problem.${problem.code}`
  const text = i18n.exists(key)
    ? t(key as 'problem.forbidden')
    : t('problem.other', { detail: problem.detail, code: problem.code })
  return (
    <Alert
      type="error"
      showIcon
      title={text}
      description={t('problem.request', { id: problem.request_id })}
    />
  )
}
