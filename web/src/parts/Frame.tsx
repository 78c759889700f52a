import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useLocation, useNavigate } from '@tanstack/react-router'
import { Alert, Button, Flex, Layout, Menu, Select, Typography, theme } from 'antd'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'

import { meGet, sessionDelete } from '../client'
import { LANGUAGES, speak, type Language } from '../i18n'
import { useLive } from '../lib/live'
import { Refused, answer } from '../lib/problem'
import './Frame.css'
import { useLook } from './Look'

/** Who is signed in. */
export const useMe = () =>
  useQuery({ queryKey: ['me'], queryFn: () => answer(meGet()), staleTime: 60_000 })

/** What is around every page. */
export function Frame() {
  const { t, i18n } = useTranslation()
  const { theme: chosen, choose } = useLook()
  const { token } = theme.useToken()
  const me = useMe()
  const navigate = useNavigate()
  const queries = useQueryClient()
  const { pathname } = useLocation()
  const signedOut = me.error instanceof Refused && me.error.problem?.code === 'unauthenticated'
  const atSignIn = pathname === '/app/sign-in'
  const connected = useLive(me.data !== undefined && !signedOut && !atSignIn)
  useEffect(() => {
    if (signedOut && !atSignIn) void navigate({ to: '/app/sign-in' })
  }, [signedOut, atSignIn, navigate])
  const signOut = async () => {
    await answer(sessionDelete()).catch(() => {})
    queries.clear()
    await navigate({ to: '/app/sign-in' })
  }
  const pages = [
    { key: '/app/consortiums', label: <Link to="/app/consortiums">{t('nav.consortiums')}</Link> },
    { key: '/app/invitations', label: <Link to="/app/invitations">{t('nav.invitations')}</Link> },
    { key: '/app/clusters', label: <Link to="/app/clusters">{t('nav.clusters')}</Link> },
  ]
  return (
    <Layout style={{ minHeight: '100vh' }}>
      <a className="skip" href="#content">
        {t('app.skip')}
      </a>
      <Layout.Header className="frame-header" style={{ background: token.colorBgContainer }}>
        <Typography.Text strong style={{ fontSize: 18 }}>
          Hansa
        </Typography.Text>
        <nav aria-label="Hansa" className="frame-pages">
          {me.data !== undefined && (
            <Menu
              mode="horizontal"
              disabledOverflow
              items={pages}
              selectedKeys={pages.map((p) => p.key).filter((key) => pathname.startsWith(key))}
              style={{ borderBottom: 'none' }}
            />
          )}
        </nav>
        <Flex align="center" gap={12} wrap>
          <Select<Language>
            aria-label={t('nav.language')}
            value={i18n.language as Language}
            onChange={speak}
            options={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
            style={{ width: 116 }}
          />
          <Select
            aria-label={t('nav.theme')}
            value={chosen}
            onChange={choose}
            options={[
              { value: 'light', label: t('theme.light') },
              { value: 'dark', label: t('theme.dark') },
            ]}
            style={{ width: 92 }}
          />
          {me.data !== undefined && (
            <>
              <Typography.Text>{me.data.tenant}</Typography.Text>
              <Button onClick={() => void signOut()}>{t('nav.signOut')}</Button>
            </>
          )}
        </Flex>
      </Layout.Header>
      {!connected && (
        <Alert type="warning" banner showIcon role="alert" title={t('app.reconnecting')} />
      )}
      <Layout.Content className="frame-content">
        <main id="content" tabIndex={-1}>
          <Outlet />
        </main>
      </Layout.Content>
    </Layout>
  )
}
