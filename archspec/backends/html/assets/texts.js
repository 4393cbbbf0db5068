// The spec and the source, line by line. The selection is marked in them, and a line selects its layer.
class Texts {
  constructor(host, view, { title, text, lines }) {
    const { html, visible } = elements;
    Object.assign(this, { host, view });
    this.columns = lines.map((name) => ["spec", "core", "made", "run"].indexOf(name));
    this.lines = text.replace(/\n$/, "").split("\n").map((line, number) => html("span", { class: comment(line) ? "line faint" : "line", "data-line": number + 1 }, `${visible(line)}`));
    const code = html("code", {}, ...this.lines);
    host.append(html("pre", { "aria-label": title }, code));
    code.addEventListener("click", (event) => this.#select(Number(event.target.closest(".line")?.dataset.line)));
  }

  linesOf = (node) => this.columns.map((column) => node.step.at[column]).filter(Boolean);

  mark() {
    const found = this.linesOf(this.view.selected).map((line) => this.lines[line - 1]).filter(Boolean);
    for (const line of this.marked || []) line.classList.remove("selected");
    for (const line of found) line.classList.add("selected");
    this.marked = found;
    if (found.length && !this.host.contains(document.activeElement)) scrolled(this.host, found[0]);
  }

  // Select a node of a line: one near to the selection, if there is one.
  #select(line) {
    const { view } = this, { network } = view;
    if (!line || getSelection().toString()) return;
    const on = (node) => node.parent && this.linesOf(node).includes(line);
    for (const around of network.around(view.selected).reverse())
      for (const node of network.walk(around)) if (on(node)) return void view.pick(node.path, { focus: false });
  }
}

const comment = (line) => /^\s*(#|""")/.test(line);
