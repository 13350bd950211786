/** What the examples sell: stands for a database, and counts how often it was asked. */
export interface Product {
  readonly id: number
  readonly name: string
}

const products: Product[] = [
  { id: 1, name: 'Tea' },
  { id: 2, name: 'Kettle' },
]
let queries = 0

export function listProducts(): { readonly queries: number; readonly products: readonly Product[] } {
  queries++
  return { queries, products: [...products] }
}

/** Undefined when there is no name to sell it by. */
export function addProduct(name: unknown): Product | undefined {
  if (typeof name !== 'string' || name.trim() === '') return undefined
  const product = { id: products.length + 1, name: name.trim() }
  products.push(product)
  return product
}
