// The layers as a table, which can be sorted by any column. During a search, it has the matches.
class Table {
  static COLUMNS = [
    ["layer", (n) => n.path], ["type", (n) => n.step.type], ["input", (n, net) => net.inputs(n).join(", ")], ["output", (n) => n.step.output],
    ["parameters", (n) => Number(n.step.params || 0)], ["MACs", (n, net) => Number(net.cost(n, "macs"))], ["activations", (n, net) => Number(net.cost(n, "activations"))],
    ["field", (n, net) => parseFloat(net.receptiveField(n)[0] || 0)], ["stride", (n, net) => parseFloat(net.receptiveField(n)[1] || 0)],
  ];
  static NUMBERS = 4;  // the columns from here on hold numbers

  constructor(host, view) {
    const { html, button } = elements;
    Object.assign(this, { host, view, column: null, descending: false });
    this.heads = Table.COLUMNS.map(([title], number) => html("th", { scope: "col", "aria-sort": "none" }, button(title, `Sort by ${title}`, () => this.sort(number))));
    this.body = html("tbody");
    host.append(html("table", { class: "layers" }, html("thead", {}, html("tr", {}, ...this.heads)), this.body));
    this.rows = new Map(view.network.layers.map((path) => [path, this.#row(view.network.find(path))]));
    this.body.addEventListener("click", (event) => this.#select(event));
    this.body.addEventListener("keydown", (event) => this.#key(event));
    this.fill();
  }

  #row(node) {
    const { network } = this.view, [field, stride] = network.receptiveField(node);
    const counts = [node.step.params || 0, network.cost(node, "macs"), network.cost(node, "activations")].map(numbers.exact);
    const texts = [node.path, node.step.type, network.inputs(node).join(", "), node.step.output, ...counts, field || "–", stride || "–"];
    return elements.html("tr", { "data-row": node.path, tabindex: "-1" }, ...texts.map((text) => elements.html("td", {}, text)));
  }

  sort(number) {
    this.descending = this.column === number ? !this.descending : number >= Table.NUMBERS;
    this.column = number;
    this.heads.forEach((head, at) => head.setAttribute("aria-sort", at !== number ? "none" : this.descending ? "descending" : "ascending"));
    this.fill();
  }

  fill() {
    const { network, state } = this.view, wanted = new Set([...state.matches].map(({ path }) => path));
    const nodes = network.layers.filter((path) => !wanted.size || wanted.has(path)).map((path) => network.find(path));
    if (this.column !== null) {
      const value = Table.COLUMNS[this.column][1], sign = this.descending ? -1 : 1;
      const keyed = nodes.map((node) => [value(node, network), node]);
      keyed.sort(([a], [b]) => sign * (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true })));
      nodes.splice(0, nodes.length, ...keyed.map(([, node]) => node));
    }
    this.body.replaceChildren(...nodes.map(({ path }) => this.rows.get(path)));
    this.mark();
  }

  // Mark the selection: a layer, or all layers in a block.
  mark() {
    const { state } = this.view;
    for (const row of this.marked || []) row.classList.remove("selected", "inside");
    this.marked = [];
    for (const [path, row] of this.rows) {
      const own = path === state.selected;
      if (!own && !(state.selected && path.startsWith(`${state.selected}.`))) continue;
      row.classList.add(own ? "selected" : "inside");
      this.marked.push(row);
    }
    for (const row of this.body.querySelectorAll('[tabindex="0"]')) row.setAttribute("tabindex", "-1");
    const first = this.marked.find((row) => row.isConnected);
    (first || this.body.firstElementChild)?.setAttribute("tabindex", "0");
    if (first && !this.host.contains(document.activeElement)) scrolled(this.host, first);
  }

  #select(event) {
    const row = event.target.closest("tr");
    if (row) this.view.select(row.dataset.row, { focus: false });
    row?.focus({ preventScroll: true });
  }

  #key(event) {
    const row = event.target.closest("tr"), next = { ArrowDown: row?.nextElementSibling, ArrowUp: row?.previousElementSibling, Enter: row }[event.key];
    if (!next) return;
    event.preventDefault();
    next.setAttribute("tabindex", "0");
    next.focus();
    this.view.select(next.dataset.row, { focus: false });
    next.focus();
  }
}

// Scroll only a part of the page, so that a line in it is visible.
function scrolled(host, line) {
  const { top, bottom } = host.getBoundingClientRect(), at = line.getBoundingClientRect();
  if (at.top < top + 24 || at.bottom > bottom) host.scrollTop += at.top - top - host.clientHeight / 3;
}
