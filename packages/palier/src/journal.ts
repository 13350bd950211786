/** What processes that are gone left behind. */
export interface Legacy {
  /** In the order they were written, damaged ones left out. */
  readonly lines: readonly string[]
  /** The lines were taken care of: they are removed. Rejects if the disk failed; then they are inherited again later. */
  settle(): Promise<void>
}

/** Where invalidations that wait outlive the process: lines of text, each of them whole or not there. */
export interface Journal {
  /** Durable (synced) when it resolves; calls made meanwhile share the next sync. Rejects if the disk failed. */
  append(lines: readonly string[]): Promise<void>
  /** What this process has appended so far is done with. Rejects if the disk failed. */
  clear(): Promise<void>
  /** The lines of processes that are dead, on this host or silent on another. Nothing is removed before `settle`. */
  inherit(): Promise<Legacy>
  /** Ends handles; what was appended and not cleared stays, for whoever comes next. May be called twice. */
  close(): Promise<void>
}
