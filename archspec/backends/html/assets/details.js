// The details of a node: its path, shapes and costs, its fields, its tensors, and equal nodes.
const details = (() => {
  const { html, button } = elements;
  const KEYS = 400;  // tensors that are listed; all are copied

  // Facts by name, as text; those of a node without a value are left out.
  function facts(network, node) {
    const { step } = node, [field, stride] = network.receptiveField(node), module = step.module === undefined ? null : network.data.modules[step.module];
    const called = step.calls !== undefined ? network.called(node).path : null;
    const shown = [
      ["type", step.type], ["runs again", called], ["input", network.inputs(node).join(", ")], ["output", step.output],
      ["parameters", numbers.exact(step.params || 0)], ["buffers", step.buffers && numbers.exact(step.buffers)], ["MACs", numbers.exact(network.cost(node, "macs"))],
      ["activations", Number(network.cost(node, "activations")) ? `${numbers.exact(network.cost(node, "activations"))} (${numbers.memory(network.cost(node, "activations"))})` : null],
      ["receptive field", field], ["stride", stride], ["runs", node.trainOnly ? "in training only" : null],
      ["spec", step.at[0] ? `line ${step.at[0]}` : null], ["core spec", step.at[1] ? `line ${step.at[1]}` : null], ["source", lines(step.at.slice(2))],
    ];
    return { shown: shown.filter(([, value]) => value), fields: Object.entries(step.fields || module?.arguments || {}).map(([name, value]) => [name, numbers.written(value)]) };
  }

  function lines(at) {
    const found = [...new Set(at.filter(Boolean))];
    return found.length ? `line${found.length > 1 ? "s" : ""} ${found.join(", ")}` : null;
  }

  const list = (pairs, marked = new Set()) => html("dl", {}, ...pairs.flatMap(([name, value]) => [html("dt", {}, name), html("dd", { class: marked.has(name) ? "differs" : null }, value)]));

  // The tooltip beside the pointer.
  function brief(network, node) {
    const { shown, fields } = facts(network, node);
    const init = initialised(network, node);
    return [html("strong", {}, node.path), list([...shown, ...fields, ...init])];
  }

  // The initialiser of each tensor of an op, if a rule of the spec sets it.
  function initialised(network, node) {
    const known = network.initialisers(node);
    return Object.keys(node.step.tensors || {}).filter((name) => known[name]).map((name) => [`${name || "value"} begins as`, known[name]]);
  }

  function panel(view) {
    const { network } = view, node = view.selected, { shown, fields } = facts(network, node);
    const part = (title, ...content) => [html("h3", {}, title), ...content];
    const module = node.step.module === undefined ? null : network.data.modules[node.step.module];
    return [
      trail(view, node), html("h2", {}, node.parent ? node.step.name : network.data.name),
      ...[node.parent ? module?.description : network.data.description, node.parent ? null : network.data.reference].filter(Boolean).map((text) => html("p", {}, text)),
      list(shown), ...(fields.length ? part(module ? "Arguments" : "Fields", list(fields)) : []),
      ...equals(view, node), ...tensors(network, node),
    ];
  }

  // The path as buttons, one for each part.
  function trail(view, node) {
    const around = view.network.around(node);
    return html("nav", { class: "trail", "aria-label": "Path" }, ...around.flatMap((part, number) => [
      ...(number ? [html("span", { "aria-hidden": "true" }, "›")] : []),
      number === around.length - 1 ? html("span", { "aria-current": "true" }, part.step.name) : button(part.step.name, `Select ${part.path || part.step.name}`, () => view.select(part.path)),
    ]));
  }

  // The values of each of the equal blocks that a node stands for.
  function equals(view, node) {
    const { network } = view, found = repeats.uses(network, node);
    if (!found) return [];
    const { run, nodes, at } = found;
    const columns = [["block", (one) => repeats.runOf(network, network.around(one)[run.parent.depth + 1]).of.step.name], ["parameters", (one) => numbers.exact(one.step.params || 0)], ["MACs", (one) => numbers.exact(network.cost(one, "macs"))], ["field", (one) => network.receptiveField(one)[0] || "–"], ...varying(network, nodes)];
    const row = (one) => {
      const made = html("tr", { class: one === node ? "selected" : null, tabindex: "0", "data-use": one.path }, ...columns.map(([, value]) => html("td", {}, value(one))));
      made.addEventListener("click", () => view.select(one.path, { focus: false }));
      made.addEventListener("keydown", (event) => { if (event.key === "Enter") view.select(one.path, { focus: false }); });
      return made;
    };
    const apart = view.state.split.has(run.key);
    return [html("h3", {}, `One of ${run.count} equal blocks`), html("p", { class: "uses" },
      button("‹", "The one before ([)", () => view.use(-1), { id: "use-before" }), html("span", {}, `${at + 1} of ${nodes.length}`), button("›", "The next one (])", () => view.use(1), { id: "use-next" }),
      button(apart ? "Draw as one" : "Draw each", "Whether equal blocks are drawn one by one (x)", () => view.split(run.key), { id: "split" })),
    html("div", { class: "scroll" }, html("table", { class: "values" }, html("thead", {}, html("tr", {}, ...columns.map(([name]) => html("th", { scope: "col" }, name)))), html("tbody", {}, ...nodes.map(row))))];
  }

  // The fields that differ between nodes, in the nodes themselves or inside them.
  function varying(network, nodes) {
    const own = (node) => {
      const found = new Map();
      for (const part of network.walk(node)) for (const [name, value] of Object.entries(part.step.fields || {})) found.set(name, (found.get(name) || new Set()).add(numbers.written(value)));
      return found;
    };
    const all = nodes.map(own), names = [...new Set(all.flatMap((found) => [...found.keys()]))];
    const text = (found, name) => [...(found.get(name) || [])].join(", ");
    const differing = names.filter((name) => new Set(all.map((found) => text(found, name))).size > 1).slice(0, 4);
    return differing.map((name) => [name, (node) => text(all[nodes.indexOf(node)], name)]);
  }

  function tensors(network, node) {
    const found = network.tensors(node), known = network.initialisers(node);
    if (!found.length) return [];
    const begins = (key) => known[key.slice(node.path.length + 1)] || "";
    const isOne = !network.isOpenable(node);
    const rows = found.slice(0, KEYS).map(([key, shape]) => html("tr", {}, html("td", {}, key), html("td", {}, shape), ...(isOne ? [html("td", {}, begins(key))] : [])));
    const more = found.length > KEYS ? [html("p", {}, `… and ${numbers.exact(found.length - KEYS)} more`)] : [];
    return [html("h3", {}, `state_dict: ${numbers.exact(found.length)} ${found.length > 1 ? "keys" : "key"}`, clipboard.button("Copy keys", () => found.map(([key]) => key).join("\n"))),
      html("div", { class: "scroll" }, html("table", { class: "values keys" }, html("tbody", {}, ...rows))), ...more];
  }

  return { facts, list, brief, panel };
})();
