// The page of one network: its controls and their actions.
(() => {
  const { get, html } = elements;
  const network = new Network(JSON.parse(get("data").textContent));
  const PANELS = ["layers", ...network.data.texts.map((_, number) => `text${number}`)];
  const settings = { query: "", theme: "auto", panels: new Set(PANELS) };
  let table = null, texts = [];

  const view = new View(get("view"), network, (what) => {
    if (what === "selection") selected();
    remember();
  });

  function selected() {
    get("details").replaceChildren(...details.panel(view));
    table?.mark();
    for (const text of texts) text.mark();
  }

  // -- controls -----------------------------------------------------------------------------------------------

  function search(query) {
    settings.query = query;
    view.state.matches = new Set(network.search(query));
    get("found").textContent = query.trim() ? `${numbers.exact(view.state.matches.size)} found` : "";
    view.repaint();
    table?.fill();
  }

  function next() {
    const found = [...view.state.matches], at = found.indexOf(view.selected);
    if (found.length) view.select(found[(at + 1) % found.length].path, { focus: false, centre: true });
  }

  function levels() {
    const now = view.depth;
    get("deeper").disabled = now !== null && now >= view.deepest;
    get("higher").disabled = now === 0;
  }

  function shiftLevel(by) {
    const open = [...view.state.open].map((path) => network.find(path)?.depth || 0);
    view.level(Math.max(0, Math.min(view.deepest, (view.depth ?? Math.max(...open)) + by)));
  }

  function theme(name) {
    settings.theme = name;
    controls.showTheme(name);
    remember();
  }

  function panels() {
    for (const name of PANELS) {
      get(name).hidden = !settings.panels.has(name);
      get(`show-${name}`).setAttribute("aria-pressed", String(settings.panels.has(name)));
    }
    get("dock").hidden = get("dock-bar").hidden = !settings.panels.size;
    remember();
  }

  // -- the address --------------------------------------------------------------------------------------------

  let isReady = false;

  function remember() {
    if (!isReady) return;
    levels();
    const { state } = view, all = settings.panels.size === PANELS.length;
    address.write([...address.opened(view), ["split", [...state.split].join(address.SEPARATOR)], ["at", state.selected], ["q", settings.query],
      ["colour", state.colour === "kind" ? "" : state.colour], ["theme", settings.theme === "auto" ? "" : settings.theme],
      ["panels", all ? "" : [...settings.panels].join(address.SEPARATOR) || "none"]]);
  }

  function restore() {
    const parts = address.read(), chosen = (name, known, otherwise) => known.includes(parts.get(name)) ? parts.get(name) : otherwise;
    isReady = false;
    if (parts.has("open") || parts.has("level")) address.open(view, parts);
    else for (const node of network.walk()) if (node.depth === 1 && node.step.type === "Sequential" && network.isOpenable(node) && network.inside(node).length < 40) view.state.open.add(node.path);
    view.state.colour = get("colour").value = chosen("colour", Object.keys(colours.BY), "kind");
    settings.panels = new Set(parts.has("panels") ? parts.get("panels").split(address.SEPARATOR).filter((name) => PANELS.includes(name)) : PANELS);
    theme(chosen("theme", ["light", "dark"], "auto"));
    get("search").value = settings.query = parts.get("q") || "";
    view.draw();
    search(settings.query);
    panels();
    view.select(parts.get("at") || "", { focus: false, show: false });
    view.camera.fit(0.75);
    if (parts.get("at")) view.select(parts.get("at"), { focus: false, centre: true });
    isReady = true;
    remember();
  }

  // -- the page -----------------------------------------------------------------------------------------------

  function titled() {
    const { data } = network;
    get("title").textContent = elements.visible(data.name);
    get("about").textContent = elements.visible(`${numbers.quantity(data.params)} params · ${numbers.quantity(data.macs)} MACs · ${data.input.join(", ")} → ${data.output}`);
  }

  function docked() {
    const names = ["Layers", ...network.data.texts.map(({ title }) => title)];
    PANELS.forEach((name, number) => {
      get("panels").append(elements.button(names[number], `Show or hide: ${names[number]}`, () => {
        if (!settings.panels.delete(name)) settings.panels = new Set(PANELS.filter((other) => other === name || settings.panels.has(other)));
        panels();
      }, { id: `show-${name}`, "aria-pressed": "true" }));
      get("dock").append(html("section", { id: name, class: name === "layers" ? "panel wide" : "panel", "aria-label": names[number] }, html("h2", {}, names[number]), html("div", { class: "content", tabindex: "0" })));
    });
    table = new Table(get("layers").lastElementChild, view);
    texts = network.data.texts.map((text, number) => new Texts(get(`text${number}`).lastElementChild, view, text));
  }

  const { on } = controls;
  titled();
  docked();
  controls.make([view], { close: () => view.level(0), open: () => view.level(view.deepest), shift: shiftLevel, theme, restore },
    { "/": (event) => { event.preventDefault(); get("search").focus(); } });
  on("colour", "change", (event) => { view.state.colour = event.target.value; view.repaint(); });
  on("search", "input", (event) => search(event.target.value));
  on("search", "keydown", (event) => {
    if (event.key === "Enter") next();
    if (event.key === "Escape") { event.target.value = ""; search(""); }
  });
  restore();
})();
