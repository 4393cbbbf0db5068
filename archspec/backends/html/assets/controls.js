// The controls that all pages have: the scale, the levels, the theme, images, the keys.
const controls = (() => {
  const { get } = elements;

  const on = (id, what, act) => get(id).addEventListener(what, act);

  // `act` has what the page does itself: `close` and `open` everything, `shift` the level, `theme`, and `restore` the view that the address says.
  function make(views, act, keys = {}) {
    const each = (run) => () => views.forEach((view) => run(view));
    const pressed = { "?": () => get("keys").showModal(), ...keys };
    help.make(get("keys"));
    splitter.make(get("side-bar"), "--side", "right", 240);
    splitter.make(get("dock-bar"), "--dock", "below", 90);
    on("close-all", "click", () => act.close());
    on("open-all", "click", () => act.open());
    on("higher", "click", () => act.shift(-1));
    on("deeper", "click", () => act.shift(1));
    on("smaller", "click", each((view) => view.camera.zoom(0.8)));
    on("larger", "click", each((view) => view.camera.zoom(1.25)));
    on("fit", "click", each((view) => view.camera.fit()));
    on("save-svg", "click", each(exporting.saveSvg));
    on("save-png", "click", each(exporting.savePng));
    on("theme", "change", (event) => act.theme(event.target.value));
    addEventListener("keydown", (event) => {
      if (event.target.closest("input, select, textarea, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
      pressed[event.key]?.(event);
    });
    addEventListener("hashchange", act.restore);
  }

  function showTheme(name) {
    document.documentElement.dataset.theme = name;
    get("theme").value = name;
  }

  return { on, make, showTheme };
})();
