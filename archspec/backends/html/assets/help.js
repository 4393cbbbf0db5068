// The keys, in a dialog.
const help = (() => {
  const KEYS = [
    ["↑ ↓", "the box before, the next one"], ["→", "open; then the first box inside"], ["←", "close; then the block around"], ["Enter, Space", "open or close"],
    ["[ ]", "the same layer in the block before, in the next of equal blocks"], ["x", "draw equal blocks one by one, or as one"],
    ["+ −", "larger, smaller"], ["0", "all of it"], ["Shift + arrows", "move the picture"], ["/", "search"], ["?", "these keys"],
  ];

  function make(dialog) {
    const { html, button } = elements;
    dialog.append(html("h2", {}, "Keys"), details.list(KEYS), html("p", {}, "Drag or scroll to move the picture; Ctrl and scroll to scale it. A double click opens a block, a click on ×N draws each of equal blocks."), button("Close", "Close", () => dialog.close(), { id: "close-help" }));
    elements.get("help").addEventListener("click", () => dialog.showModal());
  }

  return { make };
})();
