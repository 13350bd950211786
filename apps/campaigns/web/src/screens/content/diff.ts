/** One line of a comparison; `skipped`: so many equal lines that are not shown. */
type DiffLine =
  | { readonly kind: 'same' | 'added' | 'removed'; readonly text: string }
  | { readonly kind: 'skipped'; readonly count: number }

/** A table of this many cells is computed in a few milliseconds; texts that differ more are shown one after the other. */
const MOST_CELLS = 4_000_000
/** Equal lines that are shown around a change. */
const AROUND = 2

type Plain = Exclude<DiffLine, { readonly kind: 'skipped' }>

const marked = (kind: Plain['kind'], lines: readonly string[]): Plain[] => lines.map(text => ({ kind, text }))

/** For each pair of ends, how many lines the longest common subsequence has. */
function lengthsOf(before: readonly string[], after: readonly string[]): Uint32Array {
  const width = after.length + 1
  const lengths = new Uint32Array((before.length + 1) * width)
  const at = (row: number, column: number): number => lengths[row * width + column] ?? 0
  for (let row = before.length - 1; row >= 0; row--) {
    for (let column = after.length - 1; column >= 0; column--) {
      lengths[row * width + column] =
        before[row] === after[column] ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1))
    }
  }
  return lengths
}

function middleOf(before: readonly string[], after: readonly string[]): Plain[] {
  if ((before.length + 1) * (after.length + 1) > MOST_CELLS) {
    return [...marked('removed', before), ...marked('added', after)]
  }
  const width = after.length + 1
  const lengths = lengthsOf(before, after)
  const at = (row: number, column: number): number => lengths[row * width + column] ?? 0
  const lines: Plain[] = []
  let [row, column] = [0, 0]
  while (row < before.length && column < after.length) {
    const [old, fresh] = [before[row] ?? '', after[column] ?? '']
    if (old === fresh) {
      lines.push({ kind: 'same', text: old })
      row++
      column++
    } else if (at(row + 1, column) >= at(row, column + 1)) {
      lines.push({ kind: 'removed', text: old })
      row++
    } else {
      lines.push({ kind: 'added', text: fresh })
      column++
    }
  }
  return [...lines, ...marked('removed', before.slice(row)), ...marked('added', after.slice(column))]
}

/** All lines of both texts, in order: what went, what came and what stayed. */
export function diffLines(before: string, after: string): readonly Plain[] {
  const [old, fresh] = [before.split('\n'), after.split('\n')]
  let start = 0
  while (start < old.length && start < fresh.length && old[start] === fresh[start]) start++
  let end = 0
  while (
    end < old.length - start &&
    end < fresh.length - start &&
    old[old.length - 1 - end] === fresh[fresh.length - 1 - end]
  ) {
    end++
  }
  return [
    ...marked('same', old.slice(0, start)),
    ...middleOf(old.slice(start, old.length - end), fresh.slice(start, fresh.length - end)),
    ...marked('same', old.slice(old.length - end)),
  ]
}

/** The changes with a little of what is around them. Empty when nothing differs. */
export function foldEqual(lines: readonly Plain[]): readonly DiffLine[] {
  const isNear = (at: number): boolean =>
    lines.slice(Math.max(0, at - AROUND), at + AROUND + 1).some(line => line.kind !== 'same')
  const folded: DiffLine[] = []
  let count = 0
  for (const [at, line] of lines.entries()) {
    if (isNear(at)) {
      if (count > 0) folded.push({ kind: 'skipped', count })
      count = 0
      folded.push(line)
    } else count++
  }
  if (folded.length > 0 && count > 0) folded.push({ kind: 'skipped', count })
  return folded
}
