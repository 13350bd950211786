import type { ReactNode } from 'react'

export function Messages(): ReactNode { return null }
