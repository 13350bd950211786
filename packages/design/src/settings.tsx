import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react'
import { type Format, formatOf } from './format.ts'
import { type Language, type Translate, translator, type Words } from './words.ts'

export type Theme = 'system' | 'light' | 'dark'

/** What this browser was told about how to show things. */
export interface Appearance {
  readonly language: Language
  readonly theme: Theme
  /** What `theme` comes to now: charts are drawn in colours, not in variables. */
  readonly isDark: boolean
  setLanguage(language: Language): void
  setTheme(theme: Theme): void
}

const AppearanceContext = createContext<Appearance | undefined>(undefined)

const LANGUAGE = 'palier-language'
const THEME = 'palier-theme'

function remembered(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
    return null
  }
}

function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value)
  } catch {
    // As above.
  }
}

const initialTheme = (): Theme => {
  const theme = remembered(THEME)
  return theme === 'light' || theme === 'dark' ? theme : 'system'
}

function useSystemIsDark(): boolean {
  const query = useMemo(() => matchMedia('(prefers-color-scheme: dark)'), [])
  const [isDark, setIsDark] = useState(query.matches)
  useEffect(() => {
    const changed = (): void => setIsDark(query.matches)
    query.addEventListener('change', changed)
    return () => query.removeEventListener('change', changed)
  }, [query])
  return isDark
}

/** Holds theme and language for all that is inside, and keeps both in this browser. */
export function AppearanceProvider({ children }: { readonly children: ReactNode }): ReactNode {
  // `boot.js` has decided before the first paint.
  const [language, setLanguage] = useState<Language>(document.documentElement.lang === 'fr' ? 'fr' : 'en')
  const [theme, setTheme] = useState<Theme>(initialTheme)
  const systemIsDark = useSystemIsDark()
  const appearance = useMemo<Appearance>(
    () => ({
      language,
      theme,
      isDark: theme === 'dark' || (theme === 'system' && systemIsDark),
      setLanguage(chosen) {
        document.documentElement.lang = chosen
        remember(LANGUAGE, chosen)
        setLanguage(chosen)
      },
      setTheme(chosen) {
        if (chosen === 'system') delete document.documentElement.dataset['theme']
        else document.documentElement.dataset['theme'] = chosen
        remember(THEME, chosen)
        setTheme(chosen)
      },
    }),
    [language, theme, systemIsDark],
  )
  return <AppearanceContext.Provider value={appearance}>{children}</AppearanceContext.Provider>
}

export function useAppearance(): Appearance {
  const appearance = useContext(AppearanceContext)
  if (appearance === undefined) throw new Error('useAppearance: expected an AppearanceProvider around it')
  return appearance
}

/** The texts of a screen in the language of the page. */
export function useWords<K extends string>(words: Words<K>): Translate<K> {
  const { language } = useAppearance()
  return useMemo(() => translator(words, language), [words, language])
}

export function useFormat(): Format {
  return formatOf(useAppearance().language)
}
