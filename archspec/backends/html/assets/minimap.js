// A small picture of the whole network, with the visible part marked; pressing moves there.
class Minimap {
  static WIDE = 150;
  static HIGH = 170;

  constructor(camera) {
    const { svg, html } = elements;
    this.camera = camera;
    this.shapes = svg("path", { class: "shapes" });
    this.sight = svg("rect", { class: "sight" });
    this.picture = svg("svg", { role: "img", "aria-label": "Overview" }, this.shapes, this.sight);
    this.host = html("div", { class: "minimap" }, this.picture);
    this.host.addEventListener("pointerdown", (event) => this.#drag(event));
  }

  draw({ boxes, frames, w, h }) {
    this.scale = Math.min(Minimap.WIDE / w, Minimap.HIGH / h);
    const least = 1 / this.scale;
    const wide = Math.max(24, w * this.scale), high = h * this.scale;
    this.left = (wide - w * this.scale) / 2;
    for (const [name, value] of [["width", wide], ["height", high], ["viewBox", `${-this.left} 0 ${wide} ${high}`]]) this.picture.setAttribute(name, value);
    const outline = ({ x, y, w: width, h: height }) => `M${this.#at(x)},${this.#at(y)}h${this.#at(Math.max(least, width))}v${this.#at(Math.max(least, height))}h${this.#at(-Math.max(least, width))}z`;
    this.shapes.setAttribute("d", [...frames.filter((frame) => frame.node.depth === 1), ...boxes].map(outline).join(""));
    this.look();
  }

  #at = (value) => (value * this.scale).toFixed(1);

  look() {
    const { x, y, scale, size, content } = this.camera;
    const inside = x >= 0 && y >= 0 && x + content.w * scale <= size.w && y + content.h * scale <= size.h;
    this.host.classList.toggle("all", inside);
    for (const [name, value] of [["x", -x / scale], ["y", -y / scale], ["width", size.w / scale], ["height", size.h / scale]]) this.sight.setAttribute(name, this.#at(value));
  }

  #drag(event) {
    event.stopPropagation();
    event.preventDefault();
    const move = (next) => {
      const { left, top } = this.picture.getBoundingClientRect(), { scale, size } = this.camera;
      const x = (next.clientX - left - this.left) / this.scale, y = (next.clientY - top) / this.scale;
      this.camera.set(size.w / 2 - x * scale, size.h / 2 - y * scale);
    };
    move(event);
    addEventListener("pointermove", move);
    addEventListener("pointerup", () => removeEventListener("pointermove", move), { once: true });
  }
}
