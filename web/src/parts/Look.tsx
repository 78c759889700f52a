import { App, ConfigProvider, theme } from 'antd'
import enUS from 'antd/locale/en_US'
import zhCN from 'antd/locale/zh_CN'
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

const KEPT = 'hansa.theme'
type Theme = 'light' | 'dark'

const Chosen = createContext<{ theme: Theme; choose: (theme: Theme) => void }>({
  theme: 'light',
  choose: () => {},
})

export const useLook = () => useContext(Chosen)

// Darker than the kit's own: its defaults are below 4.5 : 1 on white.
const LIGHT = {
  colorPrimary: '#0958d9',
  colorInfo: '#0958d9',
  colorLink: '#0958d9',
  colorError: '#cf1322',
  colorSuccess: '#237804',
  colorWarning: '#ad6800',
  // Derived from the darker ones these would be muddy.
  colorSuccessBg: '#f6ffed',
  colorSuccessBorder: '#b7eb8f',
  colorWarningBg: '#fffbe6',
  colorWarningBorder: '#ffe58f',
  colorTextSecondary: 'rgba(0,0,0,0.72)',
  colorTextTertiary: 'rgba(0,0,0,0.65)',
  colorTextDescription: 'rgba(0,0,0,0.65)',
  colorTextPlaceholder: 'rgba(0,0,0,0.62)',
}
const DARK = { colorPrimary: '#69b1ff', colorLink: '#69b1ff', colorError: '#ff7875' }

function first(): Theme {
  const kept = localStorage.getItem(KEPT)
  if (kept === 'light' || kept === 'dark') return kept
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'
}

function nonce(): string | undefined {
  const found = document.querySelector('meta[name="csp-nonce"]')?.getAttribute('content')
  return found === null || found === '__CSP_NONCE__' ? undefined : found
}

/** Theme and language of everything below. */
export function Look({ children }: { children: ReactNode }) {
  const [chosen, setChosen] = useState<Theme>(first)
  const { i18n } = useTranslation()
  useEffect(() => {
    document.documentElement.style.colorScheme = chosen
    document.body.style.margin = '0'
    document.body.style.background = chosen === 'dark' ? '#000' : '#f5f5f5'
  }, [chosen])
  const look = useMemo(
    () => ({
      theme: chosen,
      choose: (next: Theme) => {
        localStorage.setItem(KEPT, next)
        setChosen(next)
      },
    }),
    [chosen],
  )
  const algorithm = chosen === 'dark' ? theme.darkAlgorithm : theme.defaultAlgorithm
  return (
    <Chosen.Provider value={look}>
      <ConfigProvider
        csp={{ nonce: nonce() }}
        // A blank between two Chinese characters is no part of the word that is read out.
        button={{ autoInsertSpace: false }}
        locale={i18n.language === 'zh-CN' ? zhCN : enUS}
        theme={{
          algorithm,
          token: chosen === 'dark' ? DARK : LIGHT,
          // White on the light blue of the dark theme cannot be read.
          components: chosen === 'dark' ? { Button: { primaryColor: '#000' } } : {},
        }}
      >
        <App>{children}</App>
      </ConfigProvider>
    </Chosen.Provider>
  )
}
