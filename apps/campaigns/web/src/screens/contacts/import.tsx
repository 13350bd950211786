import type { ReactNode } from 'react'

export function ContactImport(): ReactNode { return null }
