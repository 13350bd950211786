import type { ReactNode } from 'react'

export function Users(): ReactNode { return null }
