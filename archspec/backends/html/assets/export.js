// The picture as a file of its own: an SVG with all styles as attributes, or a PNG made from it.
const exporting = (() => {
  const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "font-size", "font-weight", "opacity", "text-anchor"];
  const MARGIN = 16, SHARP = 2, MOST = 12000;  // the longest side of a PNG, in pixels

  function svg(view) {
    const { w, h } = view.scene, wide = w + 2 * MARGIN, high = h + 2 * MARGIN;
    const copy = view.drawing.root.cloneNode(true), made = elements.svg("svg", { xmlns: "http://www.w3.org/2000/svg", width: wide, height: high, viewBox: `${-MARGIN} ${-MARGIN} ${wide} ${high}`, "font-family": measure.FAMILY });
    styled(view.drawing.root, copy);
    copy.removeAttribute("transform");
    for (const useless of copy.querySelectorAll(".toggle")) useless.remove();
    const ground = getComputedStyle(document.documentElement).getPropertyValue("--paper").trim();
    made.append(elements.svg("title", {}, view.network.data.name), elements.svg("rect", { x: -MARGIN, y: -MARGIN, width: wide, height: high, fill: ground }), copy);
    return { text: new XMLSerializer().serializeToString(made), wide, high };
  }

  // Styles as attributes; elements with the same classes in the same place have the same styles.
  function styled(from, to) {
    const there = [...from.querySelectorAll("rect, path, text")], here = [...to.querySelectorAll("rect, path, text")], known = new Map();
    there.forEach((element, number) => {
      const key = classes(element);
      if (!known.has(key)) known.set(key, computed(element));
      for (const [name, value] of known.get(key)) here[number].setAttribute(name, value);
    });
    for (const one of to.querySelectorAll("*")) for (const { name } of [...one.attributes]) if (/^(aria-|role$|tabindex$|class$|data-)/.test(name)) one.removeAttribute(name);
  }

  function classes(element) {
    const found = [];
    for (let at = element; at && at.tagName !== "svg"; at = at.parentNode) found.push(at.getAttribute("class") || "");
    return `${element.tagName} ${found.join("/")}`;
  }

  function computed(element) {
    const style = getComputedStyle(element);
    return STYLES.map((name) => [name, style.getPropertyValue(name)]).filter(([, value]) => value && value !== "none" || value === "none");
  }

  function save(blob, name) {
    const link = elements.html("a", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  const saveSvg = (view) => save(new Blob([svg(view).text], { type: "image/svg+xml" }), `${view.network.data.name}.svg`);

  function savePng(view) {
    const { text, wide, high } = svg(view), scale = Math.min(SHARP, MOST / wide, MOST / high), image = new Image();
    image.onload = () => {
      const canvas = elements.html("canvas", { width: Math.ceil(wide * scale), height: Math.ceil(high * scale) });
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => save(blob, `${view.network.data.name}.png`));
    };
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  }

  return { saveSvg, savePng };
})();
