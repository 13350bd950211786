/** Something an operator should know; a `warning` will hurt one day, a `note` may not. */
export interface Finding {
  readonly level: 'warning' | 'note'
  readonly about: 'configuration' | 'redis' | 'files' | 'speed' | 'processes'
  readonly text: string
  readonly advice: string
}
