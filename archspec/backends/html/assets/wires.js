// Wires as the data of SVG paths: straight lines with round corners, and an arrow head at the end.
const wires = (() => {
  const HEAD = 7, CORNER = 7;

  function path(points, open) {
    const line = cleaned(points), stop = line[line.length - 1];
    if (!open) line[line.length - 1] = towards(stop, line[line.length - 2], HEAD - 1);
    const corners = line.slice(1, -1).map((at, number) => corner(line[number], at, line[number + 2]));
    return `M${pair(line[0])}${corners.join("")}L${pair(line[line.length - 1])}`;
  }

  // Without points on straight lines.
  function cleaned(points) {
    const found = [points[0]];
    points.slice(1).forEach((point, number) => {
      const last = found[found.length - 1], next = points[number + 2];
      if (distance(last, point) < 0.5 && next) return;
      const straight = next && ((near(last.x, point.x) && near(point.x, next.x)) || (near(last.y, point.y) && near(point.y, next.y)));
      if (!straight) found.push(point);
    });
    return found;
  }

  function corner(before, at, after) {
    const reach = Math.min(CORNER, distance(before, at) / 2, distance(at, after) / 2);
    return `L${pair(towards(at, before, reach))}Q${pair(at)} ${pair(towards(at, after, reach))}`;
  }

  function head(points) {
    const line = cleaned(points), stop = line[line.length - 1], from = towards(stop, line[line.length - 2], HEAD);
    const [x, y] = [(stop.y - from.y) * 4 / HEAD, (stop.x - from.x) * 4 / HEAD];
    return `M${pair(stop)}L${pair({ x: from.x - x, y: from.y + y })}L${pair({ x: from.x + x, y: from.y - y })}z`;
  }

  const near = (a, b) => Math.abs(a - b) < 0.5;
  const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

  function towards(from, to, length) {
    const all = distance(from, to) || 1;
    return { x: from.x + (to.x - from.x) * length / all, y: from.y + (to.y - from.y) * length / all };
  }

  const pair = ({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`;

  return { path, head };
})();
