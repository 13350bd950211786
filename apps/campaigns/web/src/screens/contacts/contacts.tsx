import type { ReactNode } from 'react'

export function Contacts(): ReactNode { return null }
