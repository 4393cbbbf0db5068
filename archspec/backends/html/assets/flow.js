// The contents of an open node: units (an op with those that refine it, a block, equal blocks) and edges.
const flow = (() => {
  // Units in the order they run. `from` of an edge is a unit, or -1 - n for input n; `to` is a unit, or their number for
  // the node's own value. Where that is several values, each comes from the unit that computes it.
  function of(network, node, split) {
    const module = network.moduleOf(node), nodes = network.inside(node);
    const units = [], unitOf = [];
    nodes.forEach((child, number) => {
      if (number === module.result && network.isTuple(child.step)) return;
      const run = repeats.runOf(network, child);
      const joined = run !== null && !split.has(run.key);
      if (joined && number > run.first) unitOf[number] = unitOf[run.first];
      else if (child.step.refines && !joined && units.length && canTake(units[units.length - 1], nodes, number)) {
        units[units.length - 1].nodes.push(child);
        unitOf[number] = units.length - 1;
      } else {
        units.push(joined ? { nodes: [repeats.useOf(network, run, 0)], run } : { nodes: [child], run: null });
        unitOf[number] = units.length - 1;
      }
    });
    return { units, edges: edges(module, unitOf, units.length) };
  }

  const canTake = (unit, nodes, number) => !unit.run && unit.nodes[unit.nodes.length - 1] === nodes[number - 1];

  function edges(module, unitOf, count) {
    const found = new Map();
    const add = (read, to) => {
      const from = read < 0 ? read : unitOf[read];
      const label = read < 0 ? module.shapes[-1 - read] : module.steps[read].output;
      if (from !== to && !found.has(`${from} ${to}`)) found.set(`${from} ${to}`, { from, to, label, trainOnly: false });
      return found.get(`${from} ${to}`);
    };
    module.steps.forEach((step, number) => step.reads.forEach((read) => {
      const edge = add(read, unitOf[number] ?? count);
      if (edge && step.trainOnly) edge.trainOnly = true;
    }));
    if (module.result < 0 || unitOf[module.result] !== undefined) add(module.result, count);
    return [...found.values()];
  }

  return { of };
})();
