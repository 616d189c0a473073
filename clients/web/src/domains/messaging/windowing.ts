/** Which rows of a long list stand where. They differ in height, and are of a usual height until they were seen. */
export class Heights {
  private readonly measured = new Map<string, number>()

  constructor(private readonly usual: number) {}

  /** Whether it is another height than was thought. */
  measure(key: string, height: number): boolean {
    if (this.of(key) === height) return false
    this.measured.set(key, height)
    return true
  }

  of(key: string): number {
    return this.measured.get(key) ?? this.usual
  }
}

/** Where each of these rows begins. It is added up once, so that scrolling only looks. */
export class Layout {
  private readonly begins: Float64Array
  private readonly places: Map<string, number>

  constructor(keys: string[], heights: Heights) {
    this.begins = new Float64Array(keys.length + 1)
    this.places = new Map(keys.map((key, n) => [key, n]))
    keys.forEach((key, n) => (this.begins[n + 1] = (this.begins[n] ?? 0) + heights.of(key)))
  }

  get height(): number {
    return this.begins.at(-1) ?? 0
  }

  begin(n: number): number {
    return this.begins[Math.min(n, this.begins.length - 1)] ?? 0
  }

  /** Where a row begins; null for one that is not there. */
  offset(key: string): number | null {
    const place = this.places.get(key)
    return place === undefined ? null : this.begin(place)
  }

  /** The row that stands at a height; the last one for a height below all. */
  at(height: number): number {
    let [low, high] = [0, Math.max(this.begins.length - 2, 0)]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.begin(middle) <= height) low = middle
      else high = middle - 1
    }
    return low
  }
}
