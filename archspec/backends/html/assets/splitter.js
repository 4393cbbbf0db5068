// A bar between two parts of the page, which is dragged or moved with the arrow keys; it sets a length in the styles.
const splitter = (() => {
  const STEP = 24;

  // `side` is the side of the part whose length is set: "right" of the bar or "below".
  function make(bar, name, side, least) {
    const horizontal = side === "right", root = document.documentElement;
    const most = () => (horizontal ? innerWidth : innerHeight) * 0.75;
    const length = () => parseFloat(getComputedStyle(root).getPropertyValue(name));
    const set = (value) => {
      const chosen = Math.round(Math.max(least, Math.min(most(), value)));
      root.style.setProperty(name, `${chosen}px`);
      bar.setAttribute("aria-valuenow", chosen);
    };
    bar.addEventListener("pointerdown", (event) => {
      const begin = length(), from = horizontal ? event.clientX : event.clientY;
      const move = (next) => set(begin + from - (horizontal ? next.clientX : next.clientY));
      event.preventDefault();
      bar.setPointerCapture(event.pointerId);
      bar.addEventListener("pointermove", move);
      bar.addEventListener("pointerup", () => bar.removeEventListener("pointermove", move), { once: true });
    });
    bar.addEventListener("keydown", (event) => {
      const by = { ArrowUp: STEP, ArrowLeft: STEP, ArrowDown: -STEP, ArrowRight: -STEP }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      set(length() + by);
    });
    bar.setAttribute("aria-valuenow", length());
  }

  return { make };
})();
