import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Button, Card, Form, Input } from 'antd'
import { useTranslation } from 'react-i18next'

import { sessionCreate, type SessionCreate } from '../client'
import { answer } from '../lib/problem'
import { useTitle } from '../lib/title'
import { Failure } from '../parts/Failure'

export function SignInPage() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const queries = useQueryClient()
  const signIn = useMutation({
    mutationFn: (body: SessionCreate) => answer(sessionCreate({ body })),
    onSuccess: async () => {
      queries.clear()
      await navigate({ to: '/app/consortiums' })
    },
  })
  useTitle(t('signIn.title'))
  const required = [{ required: true, message: t('form.required') }]
  return (
    <Card title={<h1 style={{ fontSize: 20, margin: 0 }}>{t('signIn.title')}</h1>} style={{ maxWidth: 420, margin: '10vh auto' }}>
      <Form<SessionCreate> layout="vertical" onFinish={(values) => signIn.mutate(values)}>
        <Form.Item name="tenant" label={t('signIn.tenant')} rules={required}>
          <Input autoComplete="organization" autoFocus />
        </Form.Item>
        <Form.Item name="email" label={t('signIn.email')} rules={required}>
          <Input type="email" autoComplete="username" />
        </Form.Item>
        <Form.Item name="password" label={t('signIn.password')} rules={required}>
          <Input.Password autoComplete="current-password" />
        </Form.Item>
        <Failure error={signIn.error} />
        <Button type="primary" htmlType="submit" loading={signIn.isPending} block style={{ marginTop: 12 }}>
          {t('signIn.submit')}
        </Button>
      </Form>
    </Card>
  )
}
