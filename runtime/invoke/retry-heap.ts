/** Things that wait for their time, the earliest first: a binary heap. */
export class RetryHeap<Item extends { readonly dueMs: number }> {
  readonly #items: Item[] = []

  get size(): number {
    return this.#items.length
  }

  /** The earliest one; undefined when nothing waits. */
  get first(): Item | undefined {
    return this.#items[0]
  }

  push(item: Item): void {
    this.#items.push(item)
    this.#rise(this.#items.length - 1, item)
  }

  shift(): Item | undefined {
    const first = this.#items[0]
    if (first !== undefined) this.#removeAt(0)
    return first
  }

  /** Takes out the first one that matches. Looks at all of them. */
  remove(matches: (item: Item) => boolean): Item | undefined {
    const index = this.#items.findIndex(matches)
    const found = this.#items[index]
    if (found !== undefined) this.#removeAt(index)
    return found
  }

  #removeAt(index: number): void {
    const last = this.#items.pop()
    if (last === undefined || index === this.#items.length) return
    this.#sink(index, last)
    if (this.#items[index] === last) this.#rise(index, last)
  }

  #rise(from: number, item: Item): void {
    const items = this.#items
    let index = from
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = items[parent]
      if (above === undefined || above.dueMs <= item.dueMs) break
      items[index] = above
      index = parent
    }
    items[index] = item
  }

  #sink(from: number, item: Item): void {
    const items = this.#items
    let index = from
    for (;;) {
      let child = 2 * index + 1
      const right = items[child + 1]
      if (right !== undefined && right.dueMs < (items[child]?.dueMs ?? Infinity)) child += 1
      const below = items[child]
      if (below === undefined || below.dueMs >= item.dueMs) break
      items[index] = below
      index = child
    }
    items[index] = item
  }
}
