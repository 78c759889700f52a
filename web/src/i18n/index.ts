import i18n from 'i18next'
import { initReactI18next } from 'react-i18next'

import en from './en.json'
import zh from './zh-CN.json'

export const LANGUAGES = { en: 'English', 'zh-CN': '简体中文' } as const
export type Language = keyof typeof LANGUAGES

const KEPT = 'hansa.language'

function first(): Language {
  const kept = localStorage.getItem(KEPT)
  if (kept === 'en' || kept === 'zh-CN') return kept
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en'
}

export function speak(language: Language): void {
  localStorage.setItem(KEPT, language)
  document.documentElement.lang = language
  void i18n.changeLanguage(language)
}

const language = first()
document.documentElement.lang = language
void i18n.use(initReactI18next).init({
  lng: language,
  fallbackLng: false,
  keySeparator: false,
  resources: { en: { translation: en }, 'zh-CN': { translation: zh } },
  interpolation: { escapeValue: false },
})
