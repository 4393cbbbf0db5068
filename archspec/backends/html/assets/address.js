// The state of a page in its address, after the #, so that a link shows the same view.
const address = (() => {
  const SEPARATOR = "~";

  const read = () => new URLSearchParams(location.hash.slice(1));

  function write(parts) {
    const text = new URLSearchParams(parts.filter(([, value]) => value)).toString();
    if (text === location.hash.slice(1)) return;
    try {
      history.replaceState(null, "", `#${text}`);
    } catch (error) {
      if (error.name !== "SecurityError") throw error;  // a notebook's frame has no address of its own
    }
  }

  // The open nodes of a view: a level, or otherwise paths.
  function opened(view) {
    const { depth } = view;
    return depth === null ? [["open", [...view.state.open].join(SEPARATOR)]] : [["level", String(depth)]];
  }

  function open(view, parts) {
    const { network, state } = view, level = parts.get("level");
    const paths = (parts.get("open") || "").split(SEPARATOR).filter((path) => path && network.find(path));
    state.open = new Set(paths);
    if (level !== null) for (const node of network.walk()) if (node.parent && node.depth <= Number(level) && network.isOpenable(node)) state.open.add(node.path);
    state.split = new Set((parts.get("split") || "").split(SEPARATOR).filter(Boolean));
  }

  return { read, write, opened, open, SEPARATOR };
})();
