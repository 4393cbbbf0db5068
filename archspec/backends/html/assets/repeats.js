// Consecutive equal steps, which are drawn as one with ×N: the first stands for all, until they are expanded.
const repeats = (() => {
  // The run that a node is in: its key, its number of uses, and which of them the node belongs to.
  function runOf(network, node) {
    const runs = node.parent ? network.moduleOf(node.parent).runs : [];
    const run = runs.find(([first, count, period]) => first <= node.number && node.number < first + count * period);
    if (!run) return null;
    const [first, count, period] = run;
    return { key: `${node.parent.path}/${first}`, first, count, period, use: Math.floor((node.number - first) / period), parent: node.parent, of: node };
  }

  // The node that is drawn for use number `use` of a run.
  const useOf = (network, run, use) => network.inside(run.parent)[run.first + use * run.period + run.period - 1];

  // The node that is drawn for a node.
  function drawn(network, node, split) {
    let at = network.root;
    for (const step of network.around(node).slice(1)) {
      const child = network.inside(at)[step.number];
      const run = child && runOf(network, child);
      if (!child) return at;
      at = run && !split.has(run.key) ? useOf(network, run, 0) : child;
      if (at.step.name !== child.step.name && run && (step.number - run.first) % run.period !== run.period - 1) return at;
    }
    return at;
  }

  // Of all nodes that are drawn as `node`, the one in the same uses of blocks as `near`.
  function closest(network, node, near, split) {
    const beside = network.around(near);
    let at = network.root;
    network.around(node).slice(1).forEach((step, level) => {
      let child = network.inside(at)[step.number];
      const run = runOf(network, child), other = beside[level + 1];
      const theirs = other && other.parent === at && run && !split.has(run.key) ? runOf(network, other) : null;
      if (theirs && theirs.key === run.key) child = useOf(network, run, theirs.use);
      at = child;
    });
    return at;
  }

  // The innermost run around a node that is drawn as one, and the same node in each of its uses.
  function uses(network, node) {
    const around = network.around(node);
    const level = around.findLastIndex((part) => runOf(network, part));
    if (level < 0) return null;
    const run = runOf(network, around[level]);
    const inner = around.slice(level + 1).map((part) => part.number);
    const nodes = Array.from({ length: run.count }, (_, use) =>
      inner.reduce((at, number) => at && network.inside(at)[number], useOf(network, run, use))).filter(Boolean);
    return { run, nodes, at: nodes.indexOf(around[around.length - 1]) };
  }

  return { runOf, useOf, drawn, closest, uses };
})();
