import type { ReactNode } from 'react'
import { Icon } from './icon.tsx'
import { Menu } from './overlays.tsx'
import { type Theme, useAppearance, useWords } from './settings.tsx'
import { defineWords, type Language } from './words.ts'

const words = defineWords(
  { label: 'Language and theme', system: 'As the system', light: 'Light', dark: 'Dark' },
  { label: 'Langue et thème', system: 'Comme le système', light: 'Clair', dark: 'Sombre' },
)

const NAMES: Readonly<Record<Language, string>> = { en: 'English', fr: 'Français' }
const THEMES = ['system', 'light', 'dark'] as const satisfies readonly Theme[]

/** Language and theme, in one small menu. `onLanguage` is told of a choice as well, to keep it with the account. */
export function AppearanceMenu({ onLanguage }: { readonly onLanguage?: (language: Language) => void }): ReactNode {
  const t = useWords(words)
  const { language, theme, setLanguage, setTheme } = useAppearance()
  const tick = (chosen: boolean): ReactNode => (chosen ? <Icon name="check" /> : <span className="icon" />)
  return (
    <Menu label={t('label')} trigger={<Icon name="globe" />}>
      {(['en', 'fr'] as const).map(one => (
        <button
          key={one}
          type="button"
          lang={one}
          aria-pressed={one === language}
          onClick={() => {
            setLanguage(one)
            onLanguage?.(one)
          }}
        >
          {tick(one === language)}
          {NAMES[one]}
        </button>
      ))}
      <hr />
      {THEMES.map(one => (
        <button key={one} type="button" aria-pressed={one === theme} onClick={() => setTheme(one)}>
          {tick(one === theme)}
          {t(one)}
        </button>
      ))}
    </Menu>
  )
}
