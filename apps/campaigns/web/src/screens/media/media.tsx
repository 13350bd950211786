import type { ReactNode } from 'react'

export function Media(): ReactNode { return null }
