// Before the first paint: the theme and language this browser chose, so that nothing flashes.
try {
  const root = document.documentElement
  const theme = localStorage.getItem('palier-theme')
  if (theme === 'light' || theme === 'dark') root.dataset.theme = theme
  const language = localStorage.getItem('palier-language') ?? navigator.language
  root.lang = language.startsWith('fr') ? 'fr' : 'en'
} catch {
  // Storage may be forbidden; the system's theme and language will do.
}
