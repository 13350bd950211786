import type { ReactNode } from 'react'

export function History(): ReactNode { return null }
