// Which node of one network stands for a node of the other. Only what differs is listed; all else has the same name.
class Pairs {
  constructor(listed) {
    this.there = { a: new Map(), b: new Map() };
    this.marks = { a: new Map(), b: new Map() };
    for (const [mark, a, b] of listed) {
      for (const [side, own, other] of [["a", a, b], ["b", b, a]]) if (own !== null) {
        this.there[side].set(own, other);
        this.marks[side].set(own, mark);
      }
    }
  }

  // The path in the other network of a path in this one; null if there is none.
  other(side, path) {
    const parts = path.split(".");
    for (let length = parts.length; length > 0; length--) {
      const begin = parts.slice(0, length).join("."), other = this.there[side].get(begin);
      if (other !== undefined) return other === null ? null : [other, ...parts.slice(length)].join(".");
    }
    return path;
  }

  // The mark of a node: its own, or that of an added or removed block around it.
  mark(side, network, node) {
    for (const part of network.around(node).slice(1)) {
      const mark = this.marks[side].get(part.path);
      if (mark === "added" || mark === "removed" || (mark && part === node)) return mark;
    }
    return "";
  }
}
