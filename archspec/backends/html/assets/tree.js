// Keyboard control of the picture, which is a tree to keyboards and screen readers.
const tree = (() => {
  const PAN = 80;

  function keys(view) {
    return {
      ArrowDown: () => view.step(1), ArrowUp: () => view.step(-1), Home: () => view.step(-Infinity), End: () => view.step(Infinity),
      ArrowRight: () => view.enter(), ArrowLeft: () => view.leave(), Enter: () => view.toggle(), " ": () => view.toggle(),
      "+": () => view.camera.zoom(1.25), "=": () => view.camera.zoom(1.25), "-": () => view.camera.zoom(0.8), 0: () => view.camera.fit(),
      "[": () => view.use(-1), "]": () => view.use(1), x: () => view.split(),
    };
  }

  const moves = { ArrowDown: [0, -PAN], ArrowUp: [0, PAN], ArrowRight: [-PAN, 0], ArrowLeft: [PAN, 0] };

  function listen(view) {
    const known = keys(view);
    view.host.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const move = event.shiftKey && moves[event.key];
      if (move) view.camera.set(view.camera.x + move[0], view.camera.y + move[1]);
      else if (known[event.key]) known[event.key]();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  return { listen };
})();
