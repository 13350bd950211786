import type { ReactNode } from 'react'

export function Keys(): ReactNode { return null }
