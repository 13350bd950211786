/** What the harness calls of cacache, which comes without types. */
declare module 'cacache' {
  interface CallOptions {
    readonly memoize: boolean
  }
  const cacache: {
    get(dir: string, key: string, options: CallOptions): Promise<{ readonly data: Buffer }>
    put(dir: string, key: string, data: string, options: CallOptions): Promise<unknown>
    readonly rm: { entry(dir: string, key: string): Promise<unknown> }
  }
  export default cacache
}
