// The width of text in the font of the picture.
const measure = (() => {
  const FAMILY = "Helvetica, Arial, Arimo, 'Liberation Sans', sans-serif";
  const context = document.createElement("canvas").getContext("2d");
  const known = new Map();

  function width(text, size, bold = false) {
    const key = `${size}${bold}${text}`;
    if (!known.has(key)) {
      context.font = `${bold ? "bold " : ""}${size}px ${FAMILY}`;
      known.set(key, context.measureText(elements.visible(text)).width);
    }
    return known.get(key);
  }

  // A text of at most that many pixels; a longer one is cut.
  function fitted(text, size, bold, most) {
    if (width(text, size, bold) <= most) return text;
    const share = Math.max(1, Math.floor(text.length * most / width(text, size, bold)) - 1);
    return `${text.slice(0, share)}…`;
  }

  return { FAMILY, width, fitted };
})();
