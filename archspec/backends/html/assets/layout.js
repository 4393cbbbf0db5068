// The layout. Each open node is laid out by itself, inner ones first, and is one box in the node around it.
// Its units are cut where all of the flow goes through one of them. Between two cuts is a single unit, a chain
// with edges past it, or laid out by rank.
const layout = (() => {
  const GAP = 34, HEAD = 30, PAD = 16, END = 28;
  const MOST = 160;  // units between two cuts that are laid out by rank; more stand one below the other

  function place(network, node, state, run = null) {
    const { units, edges } = flow.of(network, node, state.split);
    const parts = units.map((unit) => part(network, unit, state));
    const inner = node.parent ? { parts, edges } : ended(network, parts, edges);
    const box = arranged(inner.parts, inner.edges, !node.parent);
    if (!node.parent) return { kind: "root", node, x: 0, y: 0, ...box };
    const head = boxes.head(network, node, run);
    const w = Math.max(head.w, box.w + 2 * PAD), shift = (w - box.w) / 2;
    for (const one of box.parts) { one.x += shift; one.y += HEAD; }
    for (const wire of box.wires) moved(wire, shift, HEAD);
    return { kind: "frame", node, run, head, x: 0, y: 0, w, h: box.h + HEAD, parts: box.parts, wires: joined(box, w, HEAD) };
  }

  function part(network, unit, state) {
    const [node] = unit.nodes;
    if (state.open.has(node.path) && network.isOpenable(node)) return place(network, node, state, unit.run);
    return { kind: "unit", node, run: unit.run, x: 0, y: 0, ...boxes.unit(network, unit) };
  }

  // The whole network has boxes for its inputs and its outputs.
  function ended(network, parts, edges) {
    const inputs = network.data.input.map((_, number) => end(number ? `input ${number + 1}` : "input", `in${number}`));
    const outputs = network.data.outputs.map(({ name }) => end(name, `out ${name}`));
    const count = inputs.length;
    const moved = edges.filter((edge) => edge.to < parts.length).map((edge) => ({ ...edge, from: edge.from < 0 ? -1 - edge.from : edge.from + count, to: edge.to + count }));
    const { steps } = network.moduleOf(network.root), unitOf = units(parts, steps);
    network.data.outputs.forEach(({ of }, number) => moved.push({
      from: of < 0 ? -1 - of : unitOf[of] + count, to: count + parts.length + number,
      label: of < 0 ? network.data.input[-1 - of] : steps[of].output, trainOnly: of >= 0 && !!steps[of].trainOnly }));
    return { parts: [...inputs, ...parts, ...outputs], edges: moved };
  }

  const end = (title, key) => ({ kind: "end", title, key, x: 0, y: 0, w: Math.ceil(measure.width(title, 12)) + 32, h: END });

  // The part that each step of the network is in.
  function units(parts, steps) {
    const found = [];
    parts.forEach((part, number) => (part.rows || [part]).forEach(({ node }) => { found[node.number] = number; }));
    for (let number = 0; number < steps.length; number++) found[number] ??= found[number - 1];
    return found;
  }

  // Parts from top to bottom around an axis at x = 0, then moved so that all of it begins at 0.
  function arranged(parts, edges, isRoot) {
    const wires = [], count = parts.length, readers = Array.from({ length: count + 1 }, () => []);
    for (const edge of edges) readers[edge.to].push(edge);
    let y = isRoot ? 0 : GAP - 6, source = { x: 0, y: 0 };
    for (const [first, last] of segments(count, edges)) {
      const own = readers.slice(first + 1, last + 1).flat(), inner = parts.slice(first + 1, last + 1);
      const segment = { parts: inner, first, isLast: last === count, edges: own.map((edge) => ({ ...edge, from: Math.max(-1, edge.from - first - 1), to: edge.to - first - 1 })), y, source };
      const block = (inner.length ? isChain(segment) || inner.length > MOST ? chained : ranked : leaving)(segment);
      block.wires.forEach((wire, number) => { wire.key = `${own[number].from}>${own[number].to}`; });
      wires.push(...block.wires);
      y = block.bottom + GAP;
      source = block.source;
    }
    return bounded(parts, wires, y - GAP, isRoot);
  }

  // The cuts: after each part that all crossing edges come from. -1 means the inputs, `count` the value.
  function segments(count, edges) {
    const reader = new Array(count + 2).fill(-1);  // the last reader of each part, the inputs first
    for (const { from, to } of edges) reader[Math.max(-1, from) + 1] = Math.max(reader[Math.max(-1, from) + 1], to);
    const cuts = [-1];
    for (let at = 0, before = -1; at < count; at++) {
      before = Math.max(before, reader[at]);
      if (before <= at) cuts.push(at);
    }
    if (edges.some(({ to }) => to === count)) cuts.push(count);
    return cuts.slice(1).map((cut, number) => [cuts[number], cut]);
  }

  // The value of a node leaves it below its last part.
  function leaving({ edges, source }) {
    return { wires: edges.map((edge) => wire(edge, [source, { x: source.x, y: source.y + PAD }], { open: true })), bottom: source.y, source };
  }

  // Whether each part reads the one before, and the node's value is that of the last.
  function isChain({ parts, isLast, edges }) {
    const reads = new Set(edges.filter(({ from, to }) => from === to - 1).map(({ to }) => to));
    return reads.size === parts.length + isLast || (parts.length === 1 && !isLast && edges.length <= 1);
  }

  const column = (parts, y) => {
    for (const part of parts) {
      part.x = -part.w / 2;
      part.y = y;
      y += part.h + GAP;
    }
    return y - GAP;
  };

  const below = (part) => ({ x: part.x + part.w / 2, y: part.y + part.h });
  const above = (part) => ({ x: part.x + part.w / 2, y: part.y });

  // One below the other; edges past others have lanes beside them, and enter from the side.
  function chained({ parts, edges, y, source, isLast }) {
    const bottom = column(parts, y), exit = { x: 0, y: bottom + PAD };
    const past = edges.filter(({ from, to }) => from < to - 1).sort((a, b) => a.to - a.from - b.to + b.from);
    const lanes = laned(past), step = past.length > 40 ? 5 : 11;
    const side = (from, to) => numbers.most(parts.slice(from + 1, Math.min(to, parts.length - 1) + 1).map((part) => part.w / 2));
    const wires = edges.map((edge) => {
      const { from, to } = edge, start = from < 0 ? source : below(parts[from]);
      const stop = to === parts.length ? exit : above(parts[to]), open = to === parts.length;
      if (from === to - 1) return wire(edge, [start, stop], { open, text: open ? null : edge.label });
      const x = side(from, to) + 14 + step * lanes.get(edge), high = start.y + 7;
      if (open) return wire(edge, [start, { x: start.x, y: high }, { x, y: high }, { x, y: exit.y - PAD / 2 }, { x: 0, y: exit.y - PAD / 2 }, exit], { open });
      const middle = parts[to].y + (parts[to].head ? HEAD : parts[to].h) / 2;
      return wire(edge, [start, { x: start.x, y: high }, { x, y: high }, { x, y: middle }, { x: parts[to].w / 2, y: middle }]);
    });
    return { wires, bottom, source: isLast ? exit : below(parts[parts.length - 1]) };
  }

  // A lane for each edge: short ones inside, and none on another.
  function laned(edges) {
    const taken = [], found = new Map();
    for (const edge of edges) {
      let lane = taken.findIndex((others) => others.every(({ from, to }) => to <= edge.from || from >= edge.to));
      if (lane < 0 || taken.length > 60) lane = Math.min(taken.length, 60);
      (taken[lane] ??= []).push(edge);
      found.set(edge, lane);
    }
    return found;
  }

  // A layout by dagre, with points for inputs and outputs.
  function ranked({ parts, edges, y, source, isLast }) {
    const labelled = new Set();
    const labels = edges.map(({ from, label }) => labelled.has(from) || !label ? null : (labelled.add(from), label));
    const found = solved(parts.map(({ w, h }) => [w, h]), edges.map(({ from, to }, number) => [from, to, labels[number] ? Math.ceil(measure.width(labels[number], 10)) + 8 : 0]), isLast);
    const entry = found.entry, exit = found.exit || found.nodes[parts.length - 1];
    const dx = -(entry.x + exit.x) / 2, dy = y - GAP / 2 - entry.y;
    parts.forEach((part, number) => {
      part.x = found.nodes[number].x + dx - part.w / 2;
      part.y = found.nodes[number].y + dy - part.h / 2;
    });
    const lanes = heights(edges), bottom = numbers.most(parts.map((part) => part.y + part.h));
    const wires = edges.map((edge, number) => {
      const { points, x, y: top } = found.edges[number], open = edge.to === parts.length;
      const start = edge.from < 0 ? source : below(parts[edge.from]), stop = open ? { x: exit.x + dx, y: bottom + PAD } : above(parts[edge.to]);
      const through = points.slice(1, -1).map((point) => ({ x: point.x + dx, y: point.y + dy })).filter((point) => point.y > start.y + 4 && point.y < stop.y - 4);
      const at = labels[number] ? { x: x + dx - measure.width(labels[number], 10) / 2, y: top + dy + 3 } : null;
      return wire(edge, bent([start, ...through, stop], lanes[number]), { open, text: labels[number], at });
    });
    return { wires, bottom, source: isLast ? { x: exit.x + dx, y: bottom } : below(parts[parts.length - 1]) };
  }

  const known = new Map();

  // Positions by dagre, which are the same for the same sizes and edges.
  function solved(sizes, edges, isLast) {
    const key = JSON.stringify([sizes, edges, isLast]);
    if (known.has(key)) return known.get(key);
    const graph = new dagre.graphlib.Graph(), name = (number) => number < 0 ? "in" : number === sizes.length ? "out" : String(number);
    graph.setGraph({ nodesep: 26, edgesep: 14, ranksep: GAP, ranker: sizes.length > 60 ? "tight-tree" : "network-simplex" });
    graph.setNode("in", { width: 1, height: 1 });
    if (isLast) graph.setNode("out", { width: 1, height: 1 });
    sizes.forEach(([width, height], number) => graph.setNode(String(number), { width, height }));
    for (const [from, to, width] of edges) graph.setEdge(name(from), name(to), { width, height: width ? 12 : 0, labelpos: "r" });
    dagre.layout(graph);
    const found = { entry: graph.node("in"), exit: isLast ? graph.node("out") : null, nodes: sizes.map((_, number) => graph.node(String(number))), edges: edges.map(([from, to]) => graph.edge(name(from), name(to))) };
    known.set(key, found);
    return found;
  }

  // The height at which an edge turns between two ranks: that of others from its source or, where it joins single edges, to its target.
  function heights(edges) {
    const out = new Map(), into = new Map();
    for (const { from, to } of edges) { out.set(from, (out.get(from) || 0) + 1); into.set(to, (into.get(to) || 0) + 1); }
    const groups = new Map();
    return edges.map(({ from, to }) => {
      const key = out.get(from) === 1 && into.get(to) > 1 ? `to ${to}` : `from ${from}`;
      if (!groups.has(key)) groups.set(key, groups.size);
      return [0.5, 0.36, 0.64, 0.43, 0.57][groups.get(key) % 5];
    });
  }

  // A line through points that goes straight down, across, and down again.
  function bent(points, share) {
    const found = [points[0]];
    for (const [number, to] of points.slice(1).entries()) {
      const from = points[number];
      if (Math.abs(from.x - to.x) > 0.5) found.push({ x: from.x, y: from.y + (to.y - from.y) * share }, { x: to.x, y: from.y + (to.y - from.y) * share });
      found.push(to);
    }
    return found;
  }

  // A wire along points; its text stands `at` a place, or beside its end.
  function wire(edge, points, { open = false, text = null, at = null } = {}) {
    const stop = points[points.length - 1];
    const beside = text && (at || { x: stop.x + 6, y: stop.y - 11 });
    return { points, text, label: beside, trainOnly: edge.trainOnly, open };
  }

  function moved(one, dx, dy) {
    one.points = one.points.map(({ x, y }) => ({ x: x + dx, y: y + dy }));
    if (one.label) one.label = { x: one.label.x + dx, y: one.label.y + dy };
  }

  function bounded(parts, wires, bottom, isRoot) {
    const lefts = [...parts.map((part) => part.x), ...wires.flatMap((one) => one.points.map(({ x }) => x))];
    const rights = [...parts.map((part) => part.x + part.w), ...wires.flatMap((one) => [...one.points.map(({ x }) => x), ...(one.label ? [one.label.x + measure.width(one.text, 10)] : [])])];
    const far = numbers.most([...rights, ...lefts].map(Math.abs));
    const isEven = parts.length > 0 && parts.every((part) => Math.abs(part.x + part.w / 2) < 1);
    const [left, right] = isEven ? [-far, far] : [-numbers.most(lefts.map((x) => -x)), numbers.most(rights)];
    for (const part of parts) part.x -= left;
    for (const one of wires) moved(one, -left, 0);
    return { parts, wires, w: right - left, h: bottom + (isRoot ? 0 : PAD) };
  }

  // The wires of a frame: what enters comes from its head, what leaves goes to the middle of its lower side.
  function joined(box, w, head) {
    for (const one of box.wires) {
      const { points } = one;
      if (points[0].y <= head) points[0] = { ...points[0], y: head };
      if (one.open) {
        const { x, y } = points.pop(), side = { x: w / 2, y: box.h + head };
        points.push(...(Math.abs(x - side.x) > 0.5 ? [{ x, y: side.y - PAD / 2 }, { x: side.x, y: side.y - PAD / 2 }] : []), side);
      }
    }
    return box.wires;
  }

  return { place };
})();
