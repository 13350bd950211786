import type { ReactNode } from 'react'

export function Account(): ReactNode { return null }
