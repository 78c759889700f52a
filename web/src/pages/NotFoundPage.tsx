import { Link } from '@tanstack/react-router'
import { Result } from 'antd'
import { useTranslation } from 'react-i18next'

import { useTitle } from '../lib/title'

export function NotFoundPage() {
  const { t } = useTranslation()
  useTitle(t('app.notFound'))
  return (
    <Result
      status="404"
      title={<h1 style={{ fontSize: 20 }}>{t('app.notFound')}</h1>}
      extra={<Link to="/app/consortiums">{t('app.toConsortiums')}</Link>}
    />
  )
}
