// The lines of text in a box, and the size of the box.
const boxes = (() => {
  const MOST = 300, SIDE = 12, ROW = 21;

  const named = (node, run, network) => run ? `${node.step.name} – ${repeats.useOf(network, run, run.count - 1).step.name}` : node.step.function ? "" : node.step.name;

  // The headline of a node and the smaller line below it.
  function lines(network, node, run = null) {
    const { step } = node, name = named(node, run, network);
    const count = step.params ? `${run ? `${run.count} × ` : ""}${params(network, node, run)} params` : null;
    if (step.module === undefined) return { title: step.label, small: [step.calls === undefined ? name : `${network.called(node).step.name} again`, count] };
    const plain = step.type === "Sequential";
    const what = plain ? network.data.modules[step.module].holds : step.label || step.type;
    if (step.calls !== undefined) return { title: what, small: [`${network.called(node).step.name} again`] };
    if (!name || /^\d/.test(name)) return { title: what, small: [name, count] };
    return { title: plain ? name : `${name} · ${what}`, small: [plain ? what : null, count] };
  }

  // The parameters of each of equal nodes; those in a dense block differ, so the smallest and the largest.
  function params(network, node, run) {
    if (!run) return numbers.quantity(node.step.params);
    const [first, last] = [0, run.count - 1].map((use) => numbers.quantity(repeats.useOf(network, run, use).step.params));
    return first === last ? first : `${first} – ${last}`;
  }

  function row(network, node, run, isHead) {
    const { title, small } = lines(network, node, run);
    const text = measure.fitted(title, 12, true, MOST), detail = measure.fitted(small.filter(Boolean).join(" · "), 10, false, MOST);
    const sign = network.isOpenable(node) ? 16 : 0, badge = run ? 10 + measure.width(`×${run.count}`, 14, true) : 0;
    const wide = isHead ? Math.max(measure.width(text, 12, true), measure.width(detail, 10)) : measure.width(title, 11) + 18 + measure.width(node.step.name, 10);
    return { node, run, isHead, title: isHead ? text : title, detail, sign, badge, w: Math.max(64, wide + 2 * SIDE + sign + badge), h: isHead ? (detail ? 38 : 26) : ROW };
  }

  // A box of several rows: an op, then the ops that refine it.
  function unit(network, { nodes, run }) {
    const rows = nodes.map((node, number) => row(network, node, run, number === 0));
    return { rows, w: Math.ceil(Math.max(...rows.map((one) => one.w))), h: rows.reduce((sum, one) => sum + one.h, 0) };
  }

  // The title of an open node, above its contents.
  function head(network, node, run) {
    const { title, small } = lines(network, node, run);
    const detail = small.filter(Boolean).join(" · ");
    const badge = run ? 12 + measure.width(`×${run.count}`, 14, true) : 0;
    const text = measure.fitted(title, 12, true, MOST);
    return { title: text, detail, badge, w: Math.ceil(30 + measure.width(text, 12, true) + 10 + measure.width(detail, 10) + 12 + badge) };
  }

  return { unit, head, lines };
})();
