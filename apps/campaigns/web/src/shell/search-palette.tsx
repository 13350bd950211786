import { type Command, type IconName, Palette, translator, useWords } from '@palier/design'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type ReactNode, useDeferredValue, useMemo, useState } from 'react'
import type { AnswerOf } from '../data/client.ts'
import { useClient } from '../data/context.tsx'
import { showing } from '../data/tags.ts'
import { useMay } from '../session/session.ts'
import { navWords, PLACES } from './nav.ts'

type Hit = AnswerOf<'GET /search'>['items'][number]

const ICONS: Readonly<Record<Hit['kind'], IconName>> = { contact: 'user', content: 'page', campaign: 'send' }
const PATHS: Readonly<Record<Hit['kind'], string>> = {
  contact: '/contacts',
  content: '/content',
  campaign: '/campaigns',
}
const LEAST = 2

/** Finds screens by their name in either language, and contacts, campaigns and pages by their text. */
export function SearchPalette({ onClose }: { readonly onClose: () => void }): ReactNode {
  const client = useClient()
  const navigate = useNavigate()
  const name = useWords(navWords)
  const may = useMay()
  const [text, setText] = useState('')
  const asked = useDeferredValue(text.trim())
  const { data } = useQuery({
    queryKey: ['search', asked],
    queryFn: ({ signal }) => client.ask('GET /search', { query: { q: asked, limit: 8 } }, { signal }),
    enabled: asked.length >= LEAST && may('search:read'),
    placeholderData: keepPreviousData,
    meta: showing('contacts', 'content', 'campaigns'),
  })
  const commands = useMemo<readonly Command[]>(() => {
    const others = [translator(navWords, 'en'), translator(navWords, 'fr')]
    return PLACES.flatMap(group => group.places)
      .filter(place => may(place.permission))
      .map(place => ({
        id: place.key,
        text: name(place.key),
        also: others.map(say => say(place.key)).join(' '),
        icon: place.icon,
        run: () => (place.isOutside ? location.assign(place.to) : void navigate({ to: place.to })),
      }))
  }, [name, may, navigate])
  const found = useMemo<readonly Command[]>(() => {
    if (asked.length < LEAST) return []
    return (data?.value.items ?? []).map(hit => ({
      id: `${hit.kind}-${hit.id}`,
      text: hit.title,
      ...(hit.detail !== null && { more: hit.detail }),
      icon: ICONS[hit.kind],
      run: () => void navigate({ to: `${PATHS[hit.kind]}/${hit.id}` }),
    }))
  }, [asked, data, navigate])
  return <Palette commands={commands} found={found} text={text} onText={setText} onClose={onClose} />
}
