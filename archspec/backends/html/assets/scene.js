// A laid out network as flat lists with places on the page: frames, wires, boxes, from back to front.
const scene = (() => {
  function of(placed) {
    const found = { frames: [], wires: [], boxes: [], items: [], w: placed.w, h: placed.h };
    inside(placed, 0, 0, found);
    return found;
  }

  function inside(placed, x, y, found) {
    const key = placed.node.path;
    for (const wire of placed.wires) found.wires.push({ key: `${key}/${wire.key}`, x, y, ...wire });
    for (const part of placed.parts) added(part, x + part.x, y + part.y, found);
  }

  function added(part, x, y, found) {
    if (part.kind === "end") found.boxes.push({ kind: "end", key: `/${part.key}`, x, y, w: part.w, h: part.h, title: part.title, rows: [] });
    if (part.kind === "unit") {
      const unit = { kind: "unit", key: part.node.path, x, y, w: part.w, h: part.h, rows: part.rows, run: part.run };
      found.boxes.push(unit);
      let top = y;
      for (const row of part.rows) {
        found.items.push({ node: row.node, run: row.run, isOpen: false, x, y: top, w: part.w, h: row.h });
        top += row.h;
      }
    }
    if (part.kind === "frame") {
      found.frames.push({ key: part.node.path, node: part.node, run: part.run, head: part.head, x, y, w: part.w, h: part.h });
      found.items.push({ node: part.node, run: part.run, isOpen: true, x, y, w: part.w, h: part.h });
      inside(part, x, y, found);
    }
  }

  return { of };
})();
