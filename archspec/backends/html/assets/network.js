// A network as a tree of uses: each module is described once, and has a node wherever it is used. Nodes are made on
// demand. `order` is the place of a node in a walk through the tree, by which data of uses are listed.
class Network {
  constructor(data) {
    this.data = data;
    this.sizes = [];
    for (const module of data.modules) this.sizes.push(module.steps.reduce((sum, step) => sum + 1 + this.#inner(step), 0));
    const { name, type, params, buffers, macs, activations, output } = data;
    const step = { name, type, params, buffers, macs, activations, output, module: data.modules.length - 1, reads: [], at: [] };
    this.root = { step, path: "", parent: null, number: 0, depth: 0, order: -1, trainOnly: false };
    this.layers = data.layers;
  }

  #inner = (step) => this.isMade(step) ? this.sizes[step.module] : 0;

  // Whether a step makes the module that it runs, rather than calling one again.
  isMade = (step) => step.module !== undefined && step.calls === undefined;

  // Whether a step makes several values one, which has no box: each comes from what computes it.
  isTuple = (step) => step.type === "collect";

  moduleOf(node) {
    return this.isMade(node.step) ? this.data.modules[node.step.module] : null;
  }

  inside(node) {
    if (!node.children) {
      const prefix = node.path && `${node.path}.`;
      let order = node.order + 1;
      node.children = (this.moduleOf(node)?.steps || []).map((step, number) => {
        const child = { step, path: prefix + step.name, parent: node, number, depth: node.depth + 1, order, trainOnly: node.trainOnly || !!step.trainOnly };
        order += 1 + this.#inner(step);
        return child;
      });
    }
    return node.children;
  }

  *walk(node = this.root) {
    yield node;
    for (const child of this.inside(node)) yield* this.walk(child);
  }

  find(path) {
    this.paths ??= new Map([...this.walk()].map((node) => [node.path, node]));
    return this.paths.get(path) || null;
  }

  around(node) {
    const found = [];
    for (let at = node; at; at = at.parent) found.unshift(at);
    return found;
  }

  isOpenable = (node) => this.inside(node).length > 0;
  isLayer = (node) => !node.step.function && !this.isOpenable(node) && node.parent !== null;

  inputs(node) {
    if (!node.parent) return this.data.input;
    const { steps, shapes } = this.moduleOf(node.parent);
    return node.step.shapes || node.step.reads.map((read) => read < 0 ? shapes[-1 - read] : steps[read].output);
  }

  // The receptive field and stride of a node's value.
  receptiveField(node) {
    const { different, which } = this.data.receptive_fields;
    if (node.parent) return different[which[node.order]];
    const result = this.moduleOf(node).result;
    return result < 0 ? [] : this.receptiveField(this.inside(node)[result]);
  }

  initialisers(node) {
    const { different, which } = this.data.init;
    return node.parent ? different[which[node.order]] : {};
  }

  // The costs of a node; training-only nodes cost nothing in evaluation.
  cost(node, what) {
    return node.trainOnly && (what === "macs" || what === "activations") ? 0 : node.step[what] || 0;
  }

  // The names and shapes of a node's tensors, as in the state_dict.
  tensors(node) {
    const found = [];
    for (const part of this.walk(node))
      for (const [name, shape] of Object.entries(part.step.tensors || {})) found.push([name ? `${part.path}.${name}` : part.path, shape]);
    return found;
  }

  // The node whose module a call runs again.
  called(node) {
    while (node.step.calls !== undefined) node = this.inside(node.parent)[node.step.calls];
    return node;
  }

  search(words) {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    const found = [];
    if (wanted.length) for (const node of this.walk()) if (node.parent && !this.isTuple(node.step) && wanted.every((word) => this.#text(node).includes(word))) found.push(node);
    return found;
  }

  #text(node) {
    const { step } = node;
    step.words ??= [step.type, step.label, ...Object.entries({ ...step.fields }).map(([name, value]) => `${name}=${numbers.written(value)}`)].join("\n").toLowerCase();
    return `${node.path.toLowerCase()}\n${step.words}`;
  }
}
