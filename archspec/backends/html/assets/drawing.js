// The picture: a scene as SVG. Elements that remain move to their new places; new ones fade in.
const drawing = (() => {
  const { svg } = elements;
  const TIME = 260;
  const MOST = 1500;  // elements that are moved; more of them jump

  class Drawing {
    constructor() {
      this.frames = svg("g", { class: "frames", role: "presentation" });
      this.wires = svg("g", { class: "wires", "aria-hidden": "true" });
      this.boxes = svg("g", { class: "boxes", role: "presentation" });
      this.root = svg("g", {}, this.frames, this.wires, this.boxes);
      this.known = new Map();
      this.items = new Map();
    }

    // Draw a scene. `looks` tells the classes of a node; `shift` is how far the page itself has moved in the meantime.
    draw(scene, looks, shift = { x: 0, y: 0 }) {
      const before = this.known, count = scene.boxes.length + scene.frames.length;
      this.known = new Map();
      this.items = new Map();
      this.moves = before.size && count < MOST && !matchMedia("(prefers-reduced-motion: reduce)").matches;
      this.#keep(this.frames, scene.frames, before, shift, (frame) => this.#frame(frame, looks));
      this.#keep(this.boxes, scene.boxes, before, shift, (box) => this.#box(box, looks));
      this.wires.replaceChildren(...scene.wires.map(wire));
      if (this.moves) this.wires.animate([{ opacity: 0 }, { opacity: 0, offset: 0.5 }, { opacity: 1 }], TIME);
    }

    #keep(layer, things, before, shift, make) {
      const made = things.map((thing) => {
        const group = make(thing), key = `${layer.getAttribute("class")} ${thing.key}`, old = before.get(key);
        group.setAttribute("transform", `translate(${thing.x} ${thing.y})`);
        this.known.set(key, { x: thing.x, y: thing.y });
        if (this.moves) moved(group, old, thing, shift);
        return group;
      });
      layer.replaceChildren(...made);
    }

    #frame({ node, run, head, w, h }, looks) {
      const shade = node.depth % 2 ? "odd" : "even";
      const group = this.#item(node, run, true, looks, `frame ${shade}`);
      group.append(svg("rect", { class: "ground", width: w, height: h, rx: 8 }), ...title(node, run, head, w));
      return group;
    }

    #box({ kind, w, h, title, rows }, looks) {
      if (kind === "end") return svg("g", { class: "end", role: "presentation" }, svg("rect", { width: w, height: h, rx: h / 2 }), text(title, w / 2, h / 2 + 4, "title", "middle"));
      const group = svg("g", { class: "unit", role: "presentation" });
      let y = 0;
      rows.forEach((row, number) => {
        const item = this.#item(row.node, row.run, false, looks, row.isHead ? "row" : "row light");
        item.append(svg("path", { class: "ground", d: outline(w, y, row.h, number === 0, number === rows.length - 1) }), ...content(row, w, y));
        if (row.run) group.append(svg("rect", { class: "behind", x: 4, y: 4, width: w, height: h, rx: 6 }));
        group.append(item);
        y += row.h;
      });
      return group;
    }

    #item(node, run, isOpen, looks, kind) {
      const { classes, selected, label, level, place, count, openable } = looks(node, run);
      const item = svg("g", { class: `item ${kind} ${classes}`, "data-path": node.path, role: "treeitem", tabindex: selected ? "0" : "-1",
        "aria-label": label, "aria-level": level, "aria-posinset": place, "aria-setsize": count, "aria-selected": String(selected), "aria-expanded": openable ? String(isOpen) : null });
      this.items.set(node.path, item);
      return item;
    }
  }

  function moved(group, old, { x, y }, shift) {
    if (!old) group.animate([{ opacity: 0 }, { opacity: 0, offset: 0.4 }, { opacity: 1 }], TIME);
    else if (old.x + shift.x !== x || old.y + shift.y !== y)
      group.animate([{ transform: `translate(${old.x + shift.x}px, ${old.y + shift.y}px)` }, { transform: `translate(${x}px, ${y}px)` }], { duration: TIME, easing: "ease-in-out" });
  }

  const text = (content, x, y, kind, anchor = "start") => svg("text", { x, y, class: kind, "text-anchor": anchor }, content);

  const sign = (x, y, isOpen) => svg("path", { class: "sign", d: isOpen ? `M${x - 4},${y - 2}l4,5l4,-5z` : `M${x - 2},${y - 4}l5,4l-5,4z` });

  // A mark of ×N, which expands equal blocks.
  const badge = (run, x, y) => svg("g", { class: "badge" }, svg("title", {}, `${run.count} equal blocks: press to draw each`), text(`×${run.count}`, x, y, "times", "end"));

  function title(node, run, head, w) {
    const found = [svg("rect", { class: "toggle", x: 4, y: 3, width: 22, height: 24, rx: 4 }), sign(15, 15, true), svg("path", { class: "under", d: `M0,${30}h${w}` }), text(head.title, 30, 19, "title"), text(head.detail, 40 + measure.width(head.title, 12, true), 19, "small")];
    return run ? [...found, badge(run, w - 12, 20)] : found;
  }

  function content(row, w, y) {
    if (!row.isHead) return [text(row.title, 12, y + 14, "step"), text(row.node.step.function ? "" : row.node.step.name, w - 12, y + 14, "small", "end")];
    const middle = (w + row.sign - row.badge) / 2;
    const found = [text(row.title, middle, y + (row.detail ? 16 : 17), "title", "middle"), ...(row.detail ? [text(row.detail, middle, y + 30, "small", "middle")] : [])];
    if (row.sign) found.unshift(svg("rect", { class: "toggle", x: 3, y: y + 3, width: 22, height: row.h - 6, rx: 4 }), sign(14, y + row.h / 2, false));
    return row.run ? [...found, badge(row.run, w - 12, y + row.h / 2 + 5)] : found;
  }

  // A row of a box, with round outer corners.
  function outline(w, y, h, isFirst, isLast) {
    const a = isFirst ? 6 : 0, b = isLast ? 6 : 0;
    return `M0,${y + a}q0,${-a} ${a},${-a}h${w - 2 * a}q${a},0 ${a},${a}v${h - a - b}q0,${b} ${-b},${b}h${2 * b - w}q${-b},0 ${-b},${-b}z`;
  }

  function wire({ x, y, points, text: label, label: at, trainOnly, open }) {
    const place = ({ x: left, y: top }) => ({ x: left + x, y: top + y });
    const there = points.map(place), group = svg("g", { class: trainOnly ? "wire train-only" : "wire" }, svg("path", { class: "line", d: wires.path(there, open) }));
    if (!open) group.append(svg("path", { class: "head", d: wires.head(there) }));
    if (label) group.append(svg("text", { class: "shape", x: at.x + x, y: at.y + y }, label));
    return group;
  }

  return { Drawing };
})();
