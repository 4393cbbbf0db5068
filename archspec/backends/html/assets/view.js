// One network on the page: its open nodes, the selection, its colours, and the visible part.
class View {
  // `changed` is called with the kind of change: "selection" or "picture".
  constructor(host, network, changed) {
    const { svg, html } = elements;
    Object.assign(this, { host, network, changed });
    this.state = { open: new Set(), split: new Set(), selected: "", colour: "kind", matches: new Set(), marks: new Map() };
    this.drawing = new drawing.Drawing();
    this.picture = svg("svg", { class: "picture", role: "tree", "aria-label": `The network ${network.data.name}` }, this.drawing.root);
    this.legend = html("div", { class: "legend" });
    this.tip = html("div", { class: "tip", role: "presentation", hidden: true });
    this.camera = new Camera(host, this.drawing.root, () => this.minimap?.look());
    this.minimap = new Minimap(this.camera);
    host.append(this.picture, this.legend, this.minimap.host, this.tip);
    host.addEventListener("click", (event) => this.#click(event));
    host.addEventListener("dblclick", (event) => this.#doubleClick(event));
    host.addEventListener("pointermove", (event) => this.#hover(event));
    host.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    new ResizeObserver(() => this.minimap.look()).observe(host);
    tree.listen(this);
  }

  get selected() {
    return this.network.find(this.state.selected) || this.network.root;
  }

  // The node that is drawn for the selected one.
  get shown() {
    return repeats.drawn(this.network, this.selected, this.state.split);
  }

  // -- drawing ------------------------------------------------------------------------------------------------

  // Draw everything again. `anchor` is the path of a node that stays where it is on the screen.
  draw(anchor = null) {
    const { network, state, camera } = this;
    const before = anchor === null ? null : this.scene?.items.find(({ node }) => node.path === anchor);
    this.scene = scene.of(layout.place(network, network.root, state));
    camera.content = { w: this.scene.w, h: this.scene.h };
    const after = before && this.scene.items.find(({ node }) => node.path === anchor);
    const shift = after ? { x: after.x + after.w / 2 - before.x - before.w / 2, y: after.y - before.y } : { x: 0, y: 0 };
    this.#paint(shift);
    if (after) camera.set(camera.x - shift.x * camera.scale, camera.y - shift.y * camera.scale);
    this.minimap.draw(this.scene);
    this.changed("picture");
  }

  // Draw the same scene with other colours and marks.
  #paint(shift) {
    const { state, network } = this, closed = this.scene.items.filter(({ isOpen }) => !isOpen).map(({ node }) => node);
    const cost = (node) => Number(network.cost(node, state.colour));
    const most = state.colour === "kind" ? 0 : numbers.most(closed.map(cost));
    const used = new Set(closed.map((node) => colours.roleOf(node, network.data.roles)));
    const found = new Set([...state.matches].map((node) => this.#inSight(node).path));
    const shown = this.shown.path, parts = new Map();
    for (const { node } of this.scene.items) parts.set(node.parent, (parts.get(node.parent) || 0) + 1);
    const at = new Map();
    this.drawing.draw(this.scene, (node, run) => {
      at.set(node.parent, (at.get(node.parent) || 0) + 1);
      const colour = state.colour === "kind" ? `role-${colours.roleOf(node, network.data.roles)}` : `heat-${colours.shade(cost(node), most)}`;
      const marks = [colour, node.path === shown && "selected", found.has(node.path) && "match", found.size && !found.has(node.path) && "no-match", node.trainOnly && "train-only", state.marks.get(node.path)];
      return { classes: marks.filter(Boolean).join(" "), selected: node.path === shown, label: this.#label(node, run), level: node.depth, place: at.get(node.parent), count: parts.get(node.parent), openable: network.isOpenable(node) };
    }, shift);
    if (!this.drawing.root.querySelector('[tabindex="0"]')) this.drawing.items.get(this.scene.items[0]?.node.path)?.setAttribute("tabindex", "0");
    this.legend.replaceChildren(...colours.legend(state.colour, used, network.data.roles, most));
  }

  // The element drawn for a node, or for the outermost closed block around it.
  #inSight(node) {
    const around = this.network.around(repeats.drawn(this.network, node, this.state.split)).slice(1);
    return around.find((part) => !this.state.open.has(part.path)) || around[around.length - 1] || node;
  }

  #label(node, run) {
    const times = run ? `, ${run.count} equal blocks` : "";
    return elements.visible(`${node.path}, ${node.step.label || node.step.type}${times}, output ${node.step.output}, ${numbers.exact(node.step.params || 0)} parameters`);
  }

  repaint() {
    this.#paint({ x: 0, y: 0 });
    this.changed("picture");
  }

  // -- selection ----------------------------------------------------------------------------------------------

  // Select a node by its path, and open the blocks around it.
  select(path, { focus = true, show = true, centre = false } = {}) {
    const node = this.network.find(path) || this.network.root;
    this.state.selected = node.path;
    const shown = this.shown, closed = this.network.around(shown).slice(1, -1).filter((part) => !this.state.open.has(part.path));
    for (const part of closed) this.state.open.add(part.path);
    if (closed.length) this.draw();
    else this.#mark();
    const item = this.scene.items.find((one) => one.node === shown);
    if (item && show) this.camera.show({ ...item, h: item.isOpen ? Math.min(item.h, 60) : item.h }, centre);
    if (focus) (this.drawing.items.get(shown.path) || this.host).focus({ preventScroll: true });
    this.changed("selection");
  }

  // Move the mark of the selection.
  #mark() {
    const shown = this.shown.path;
    for (const item of this.drawing.root.querySelectorAll('.selected, [tabindex="0"]')) this.#select(item, false);
    const item = this.drawing.items.get(shown);
    if (item) this.#select(item, true);
    else this.drawing.items.values().next().value?.setAttribute("tabindex", "0");
  }

  #select(item, selected) {
    item.classList.toggle("selected", selected);
    item.setAttribute("aria-selected", String(selected));
    item.setAttribute("tabindex", selected ? "0" : "-1");
  }

  // Select the node drawn as `path`, in the uses of blocks that are selected already.
  pick(path, options) {
    const node = this.network.find(path);
    this.select(repeats.closest(this.network, node, this.selected, this.state.split).path, options);
  }

  step(by) {
    const { items } = this.scene, at = items.findIndex(({ node }) => node === this.shown);
    this.pick(items[Math.max(0, Math.min(items.length - 1, at + by))].node.path);
  }

  enter() {
    const node = this.shown;
    if (!this.network.isOpenable(node)) return;
    if (node.parent && !this.state.open.has(node.path)) this.toggle();
    else this.step(1);
  }

  leave() {
    const node = this.shown;
    if (this.state.open.has(node.path) && this.network.isOpenable(node)) this.toggle();
    else if (node.parent?.parent) this.pick(node.parent.path);
  }

  // The same node in the next of equal blocks.
  use(by) {
    const found = repeats.uses(this.network, this.selected);
    if (found) this.select(found.nodes[(found.at + by + found.nodes.length) % found.nodes.length].path);
  }

  // -- opening ------------------------------------------------------------------------------------------------

  toggle(path = this.shown.path) {
    const node = this.network.find(path);
    if (!node.parent || !this.network.isOpenable(node)) return;
    const opens = !this.state.open.delete(path);
    if (opens) this.state.open.add(path);
    this.#keepInSight();
    this.draw(path);
    this.#refocus();
    elements.say(opens ? `${path} opened, ${this.network.inside(node).length} parts` : `${path} closed`);
  }

  // Draw each of equal blocks, or all of them as one again.
  split(key = repeats.runOf(this.network, this.shown)?.key) {
    if (!key) return;
    const apart = !this.state.split.delete(key);
    if (apart) this.state.split.add(key);
    for (const part of this.network.around(this.shown).slice(1, -1)) this.state.open.add(part.path);
    this.draw(this.shown.path);
    this.#refocus();
    elements.say(apart ? "equal blocks are drawn one by one" : "equal blocks are drawn as one");
  }

  // Open all blocks above a level, and close those below.
  level(depth) {
    this.state.open = new Set();
    for (const node of this.network.walk()) if (node.parent && node.depth <= depth && this.network.isOpenable(node)) this.state.open.add(node.path);
    this.#keepInSight();
    this.draw();
    this.camera.fit(0.6);
    elements.say(`open to level ${depth}`);
  }

  // The level to which everything is open; null if that differs.
  get depth() {
    const nodes = [...this.network.walk()].filter((node) => node.parent && this.network.isOpenable(node) && this.#isDrawn(node));
    const closed = nodes.filter((node) => !this.state.open.has(node.path)).map((node) => node.depth);
    const open = nodes.filter((node) => this.state.open.has(node.path)).map((node) => node.depth);
    const [least, most] = [Math.min(this.deepest + 1, ...closed), Math.max(0, ...open)];
    return most < least ? most : null;
  }

  #isDrawn = (node) => repeats.drawn(this.network, node, this.state.split) === node;

  get deepest() {
    this.known ??= [...this.network.walk()].reduce((most, node) => this.network.isOpenable(node) ? Math.max(most, node.depth) : most, 0);
    return this.known;
  }

  // If the selected node is no longer drawn, select the one drawn around it.
  #keepInSight() {
    const hidden = this.network.around(this.selected).find((node) => node.parent && !this.state.open.has(repeats.drawn(this.network, node, this.state.split).path));
    if (hidden && hidden !== this.selected) this.select(hidden.path, { focus: false, show: false });
  }

  #refocus() {
    if (this.host.contains(document.activeElement) || document.activeElement === document.body) this.drawing.items.get(this.shown.path)?.focus({ preventScroll: true });
  }

  // -- pointer ------------------------------------------------------------------------------------------------

  #click(event) {
    if (this.camera.dragged || event.target.closest(".minimap, .legend")) return;
    const item = event.target.closest("[data-path]"), path = item?.dataset.path;
    if (item && event.target.closest(".badge")) this.split(repeats.runOf(this.network, this.network.find(path)).key);
    else if (item && event.target.closest(".toggle, .sign")) this.toggle(path);
    else if (item) this.pick(path, { show: false });
    else this.select("", { focus: false, show: false });
  }

  #doubleClick(event) {
    const item = event.target.closest("[data-path]");
    if (item && !event.target.closest(".toggle, .sign, .badge")) this.toggle(item.dataset.path);
  }

  #hover(event) {
    const path = event.buttons ? undefined : event.target.closest("[data-path]")?.dataset.path;
    this.tip.hidden = path === undefined;
    if (path === undefined) return;
    if (this.hovered !== path) this.tip.replaceChildren(...details.brief(this.network, repeats.closest(this.network, this.network.find(path), this.selected, this.state.split)));
    this.hovered = path;
    const { left, top } = this.host.getBoundingClientRect(), { w, h } = this.camera.size;
    const x = event.clientX - left, y = event.clientY - top;
    this.tip.style.left = `${x + 18 + this.tip.offsetWidth > w ? Math.max(0, x - 12 - this.tip.offsetWidth) : x + 18}px`;
    this.tip.style.top = `${Math.max(4, Math.min(y + 14, h - this.tip.offsetHeight - 4))}px`;
  }
}
