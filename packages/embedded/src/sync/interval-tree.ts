/**
 * Half-open intervals of index keys, asked for those that hold a key. A treap ordered by lower bound in which every node knows
 * the highest bound below it: adding, removing and asking cost O(log n) plus what is found, in any order of arrival.
 */
export interface Interval<Owner> {
  low: Buffer
  high: Buffer
  owner: Owner
}
interface Node<Owner> extends Interval<Owner> {
  /** Breaks ties between equal lower bounds. */
  serial: number
  /** Heap order keeps the tree shallow. Scrambled from the serial: the same history gives the same tree. */
  priority: number
  left: Tree<Owner>
  right: Tree<Owner>
  highest: Buffer
}
type Tree<Owner> = Node<Owner> | null
/** What `remove` takes back. */
export type Handle = { low: Buffer; serial: number }

export type IntervalTree<Owner> = ReturnType<typeof createIntervalTree<Owner>>

export function createIntervalTree<Owner>() {
  let root: Tree<Owner> = null
  let serials = 0
  let size = 0

  return {
    size: () => size,
    add({ low, high, owner }: Interval<Owner>): Handle {
      const serial = serials++
      const node: Node<Owner> = { low, high, owner, serial, priority: scramble(serial), left: null, right: null, highest: high }
      const [before, after] = split(root, node)
      root = merge(merge(before, node), after)
      size++
      return { low, serial }
    },
    remove(handle: Handle): void {
      const [before, rest] = split(root, handle)
      const [found, after] = split(rest, { low: handle.low, serial: handle.serial + 1 })
      if (found) size--
      root = merge(before, after)
    },
    /** Calls `visit` for the owner of every interval with low <= key < high. */
    visit(key: Buffer, visit: (owner: Owner) => void): void {
      search(root, key, visit)
    },
  }
}

function search<Owner>(node: Tree<Owner>, key: Buffer, visit: (owner: Owner) => void): void {
  if (!node || key.compare(node.highest) >= 0) return
  search(node.left, key, visit)
  if (node.low.compare(key) > 0) return // and so is everything to the right
  if (key.compare(node.high) < 0) visit(node.owner)
  search(node.right, key, visit)
}

function before(a: Handle, b: Handle): boolean {
  const order = a.low.compare(b.low)
  return order < 0 || (order === 0 && a.serial < b.serial)
}

/** Nodes before `at`, and the rest. */
function split<Owner>(node: Tree<Owner>, at: Handle): [Tree<Owner>, Tree<Owner>] {
  if (!node) return [null, null]
  if (before(node, at)) {
    const [left, right] = split(node.right, at)
    return [linked(node, node.left, left), right]
  }
  const [left, right] = split(node.left, at)
  return [left, linked(node, right, node.right)]
}

function merge<Owner>(a: Tree<Owner>, b: Tree<Owner>): Tree<Owner> {
  if (!a || !b) return a ?? b
  return a.priority > b.priority ? linked(a, a.left, merge(a.right, b)) : linked(b, merge(a, b.left), b.right)
}

function linked<Owner>(node: Node<Owner>, left: Tree<Owner>, right: Tree<Owner>): Node<Owner> {
  node.left = left
  node.right = right
  let highest = node.high
  if (left && left.highest.compare(highest) > 0) highest = left.highest
  if (right && right.highest.compare(highest) > 0) highest = right.highest
  node.highest = highest
  return node
}

/** Neighbouring numbers far apart (the finalizer of MurmurHash3). */
function scramble(serial: number): number {
  let h = serial ^ 0x9e3779b9
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
