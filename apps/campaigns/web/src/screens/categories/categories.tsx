import type { ReactNode } from 'react'

export function Categories(): ReactNode { return null }
