// The page of a difference: two networks, which open, close and are selected together.
(() => {
  const { get, html } = elements;
  const data = JSON.parse(get("data").textContent), pairs = new Pairs(data.pairs);
  const SIDES = ["a", "b"], other = { a: "b", b: "a" };
  const settings = { theme: "auto", row: -1 };
  let isReady = false, isFollowing = false;

  const views = Object.fromEntries(SIDES.map((side) =>
    [side, new View(get(`view-${side}`), new Network({ ...data[side], roles: data.roles }), (what) => changed(side, what))]));
  const rows = changes.list(get("changes"), data.rows, choose);

  // What happens in one network happens in the other.
  function changed(side, what) {
    if (!isReady || isFollowing) return;
    isFollowing = true;
    (what === "selection" ? selected : followed)(side);
    isFollowing = false;
    remember();
  }

  function selected(side) {
    const view = views[side], there = views[other[side]], path = pairs.other(side, view.state.selected);
    const partner = path === null ? null : there.network.find(path);
    if (partner) there.select(partner.path, { focus: false });
    else there.select("", { focus: false, show: false });
    const shown = { [side]: view.selected, [other[side]]: partner };
    get("details").replaceChildren(html("h2", {}, view.selected.path || "the networks"), legend(side), changes.both(SIDES.map((one) => ({ network: views[one].network, node: shown[one] }))));
    rows.forEach((row, number) => row.classList.toggle("selected", data.rows[number][side] === view.state.selected && view.state.selected !== ""));
  }

  function legend(side) {
    const mark = pairs.mark(side, views[side].network, views[side].selected);
    const words = { added: "added", removed: "removed", changed: "changed, here or inside", derived: "differs only as its input does" };
    return html("p", { class: mark ? `is-${mark}` : null }, views[side].state.selected ? words[mark] || "the same in both" : "");
  }

  function followed(side) {
    const from = views[side], to = views[other[side]];
    const open = new Set([...from.state.open].map((path) => pairs.other(side, path)).filter((path) => path && to.network.find(path)));
    for (const path of to.state.open) if (pairs.other(other[side], path) === null) open.add(path);
    if (open.size === to.state.open.size && [...open].every((path) => to.state.open.has(path))) return;
    to.state.open = open;
    to.draw();
  }

  // Select a change where it is: in the second network, unless it was removed.
  function choose(row) {
    const side = row.b ? "b" : "a";
    settings.row = data.rows.indexOf(row);
    views[side].select(row[side], { focus: false, centre: true });
  }

  function step(by) {
    if (!data.rows.length) return;
    const count = data.rows.length, at = settings.row < 0 && by < 0 ? 0 : settings.row;
    choose(data.rows[(at + by + count) % count]);
    rows[settings.row].scrollIntoView({ block: "nearest" });
  }

  function level(by) {
    const depths = SIDES.map((side) => views[side].depth ?? numbers.most([...views[side].state.open].map((path) => views[side].network.find(path)?.depth || 0)));
    set(Math.max(0, Math.max(...depths) + by));
  }

  function set(depth) {
    isFollowing = true;
    for (const side of SIDES) views[side].level(Math.min(depth, views[side].deepest));
    isFollowing = false;
    remember();
  }

  // The marks of all nodes; equal blocks with different marks are drawn one by one.
  function marked(side) {
    const { network, state } = views[side], split = new Map();
    for (const node of network.walk()) {
      const mark = pairs.mark(side, network, node), run = repeats.runOf(network, node);
      if (mark) state.marks.set(node.path, mark);
      if (run && split.has(run.key) && split.get(run.key) !== mark) state.split.add(run.key);
      if (run && !split.has(run.key)) split.set(run.key, mark);
    }
  }

  function theme(name) {
    settings.theme = name;
    controls.showTheme(name);
    remember();
  }

  // -- the address --------------------------------------------------------------------------------------------

  function remember() {
    if (!isReady) return;
    const { a, b } = views, side = b.state.selected ? "b" : "a";
    address.write([...address.opened(b), ["closed", [...a.state.open].filter((path) => pairs.other("a", path) === null).join(address.SEPARATOR)],
      [`at-${side}`, views[side].state.selected], ["theme", settings.theme === "auto" ? "" : settings.theme]]);
  }

  function restore() {
    const parts = address.read();
    isReady = false;
    for (const side of SIDES) marked(side);
    if (parts.has("open") || parts.has("level")) address.open(views.b, parts);
    else for (const row of data.rows) if (row.b) opened(views.b, row.b);
    for (const side of SIDES) marked(side);  // the address says nothing of equal blocks
    for (const path of (parts.get("closed") || "").split(address.SEPARATOR)) if (views.a.network.find(path)) views.a.state.open.add(path);
    if (!parts.has("open") && !parts.has("level")) for (const row of data.rows) if (row.a) opened(views.a, row.a);
    for (const path of views.b.state.open) { const there = pairs.other("b", path); if (there && views.a.network.find(there)) views.a.state.open.add(there); }
    theme(["light", "dark"].includes(parts.get("theme")) ? parts.get("theme") : "auto");
    for (const side of SIDES) { views[side].draw(); views[side].camera.fit(0.6); }
    isReady = true;
    const at = parts.get("at-b") ? "b" : parts.get("at-a") ? "a" : null;
    if (at) views[at].select(parts.get(`at-${at}`), { focus: false, centre: true });
    else changed("b", "selection");
  }

  // Open what is around a change, so that it is in sight.
  function opened(view, path) {
    const node = view.network.find(path);
    if (node) for (const part of view.network.around(node).slice(1, -1)) view.state.open.add(part.path);
  }

  get("title").textContent = elements.visible(data.title);
  get("about").textContent = elements.visible(data.weights[0]);
  for (const side of SIDES) get(`name-${side}`).textContent = elements.visible(data[side].name);
  changes.totals(get("totals"), [data.a.name, data.b.name], data.totals);
  changes.weights(get("weights"), data.weights);
  controls.make(SIDES.map((side) => views[side]), { close: () => set(0), open: () => set(Math.max(...SIDES.map((side) => views[side].deepest))), shift: level, theme, restore });
  controls.on("before", "click", () => step(-1));
  controls.on("next", "click", () => step(1));
  restore();
})();
