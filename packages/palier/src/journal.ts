/** What other processes have written down. */
export interface Legacy {
  /** Of those that are gone, in the order they were written, damaged ones left out. */
  readonly lines: readonly string[]
  /** Of those that live and will see to it themselves: for whoever is back before them. */
  readonly neighbours: readonly string[]
  /** The lines were taken care of: they are removed. Rejects if the disk failed; then they are inherited again later. */
  settle(): Promise<void>
}

/** Where invalidations that wait outlive the process: lines of text, each of them whole or not there. */
export interface Journal {
  /** Durable (synced) when it resolves; calls made meanwhile share the next sync. Rejects if the disk failed. */
  append(lines: readonly string[]): Promise<void>
  /** What this process has appended so far is done with. Rejects if the disk failed. */
  clear(): Promise<void>
  /** The lines of the others; of those that are dead, on this host or silent on another, nothing is removed before `settle`. */
  inherit(): Promise<Legacy>
  /** Ends handles; what was appended and not cleared stays, for whoever comes next. May be called twice. */
  close(): Promise<void>
}
