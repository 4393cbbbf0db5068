// The visible part of the picture: it can be dragged, scrolled and scaled, but never leaves the view completely.
class Camera {
  static MOST = 3;
  static LEAST = 0.01;

  constructor(host, picture, changed) {
    Object.assign(this, { host, picture, changed, x: 0, y: 0, scale: 1, content: { w: 1, h: 1 } });
    new ResizeObserver(() => { this.#measured = null; }).observe(host);
    host.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    host.addEventListener("pointerdown", (event) => this.#drag(event));
  }

  #measured = null;

  // The size of the view, which is measured after it changes.
  get size() {
    this.#measured ??= { w: this.host.clientWidth || 1, h: this.host.clientHeight || 1 };
    return this.#measured;
  }

  set(x, y, scale = this.scale) {
    const { w, h } = this.size, margin = 60;
    this.scale = Math.min(Camera.MOST, Math.max(Camera.LEAST, scale));
    this.x = Math.min(w - margin, Math.max(margin - this.content.w * this.scale, x));
    this.y = Math.min(h - margin, Math.max(margin - this.content.h * this.scale, y));
    this.picture.setAttribute("transform", `translate(${this.x.toFixed(2)} ${this.y.toFixed(2)}) scale(${this.scale.toFixed(4)})`);
    this.changed();
  }

  // Show the whole picture, or as much from its top as is legible.
  fit(legible = 0) {
    const { w, h } = this.size, margin = 28;
    const whole = Math.min((w - 2 * margin) / this.content.w, (h - 2 * margin) / this.content.h, 1.25);
    const scale = Math.max(whole, legible && Math.min(legible, (w - 2 * margin) / this.content.w));
    this.set((w - this.content.w * scale) / 2, Math.max(margin, (h - this.content.h * scale) / 2), scale);
  }

  zoom(factor, x = this.size.w / 2, y = this.size.h / 2) {
    const scale = Math.min(Camera.MOST, Math.max(Camera.LEAST, this.scale * factor)), by = scale / this.scale;
    this.set(x - (x - this.x) * by, y - (y - this.y) * by, scale);
  }

  // Bring a rectangle of the picture into view.
  show({ x, y, w, h }, centre = false) {
    const { scale, size } = this, margin = 24;
    const near = (at, length, all, offset) => {
      const begin = at * scale + offset, end = (at + Math.min(length, all / scale - 2 * margin)) * scale + offset;
      if (centre) return all / 2 - (at + Math.min(length, all / scale) / 2) * scale;
      return begin < margin ? offset + margin - begin : end > all - margin ? offset - (end - all + margin) : offset;
    };
    this.set(near(x, w, size.w, this.x), near(y, h, size.h, this.y));
  }

  #wheel(event) {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : 1, { left, top } = this.host.getBoundingClientRect();
    if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(-event.deltaY * unit * 0.005), event.clientX - left, event.clientY - top);
    else this.set(this.x - (event.shiftKey ? event.deltaY : event.deltaX) * unit, this.y - (event.shiftKey ? 0 : event.deltaY) * unit);
  }

  #drag(event) {
    if (event.button !== 0) return;
    const begin = { x: event.clientX - this.x, y: event.clientY - this.y }, from = { x: event.clientX, y: event.clientY };
    const move = (next) => {
      if (!this.dragged && Math.hypot(next.clientX - from.x, next.clientY - from.y) < 4) return;
      this.dragged = true;
      this.set(next.clientX - begin.x, next.clientY - begin.y);
    };
    const stop = () => {
      removeEventListener("pointermove", move);
      setTimeout(() => { this.dragged = false; });  // after the click that ends it
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", stop, { once: true });
    addEventListener("pointercancel", stop, { once: true });
  }
}
