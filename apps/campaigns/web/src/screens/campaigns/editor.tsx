import type { ReactNode } from 'react'

export function NewCampaign(): ReactNode { return null }
export function EditCampaign(): ReactNode { return null }
