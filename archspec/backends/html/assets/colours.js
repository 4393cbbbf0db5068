// The colours of boxes, which mean kinds of op, or costs in ten shades.
const colours = (() => {
  const { html } = elements;
  const BY = { kind: "kind", params: "parameters", macs: "MACs", activations: "activation memory" };
  const SHADES = 10;

  // The shade of a value relative to the largest one: a quarter of it still has half of the colour.
  const shade = (value, most) => Number(most) ? Math.min(SHADES - 1, Math.floor(Math.sqrt(Number(value) / Number(most)) * SHADES)) : 0;

  const roleOf = (node, roles) => node.step.module !== undefined ? (node.step.calls === undefined ? "block" : "call") : roles[node.step.role] ? node.step.role : "other";

  const written = (value, by) => by === "activations" ? numbers.memory(value) : numbers.quantity(value);

  function legend(by, used, roles, most) {
    if (by === "kind") return Object.keys(roles).filter((role) => used.has(role)).map((role) => html("span", {}, html("i", { class: `swatch role-${role}` }), roles[role]));
    const shades = Array.from({ length: SHADES }, (_, number) => html("i", { class: `swatch heat-${number}` }));
    return [html("span", { class: "scale" }, "0", html("span", { class: "shades" }, ...shades), `${written(most, by)} (${BY[by]} of a box)`)];
  }

  return { BY, shade, roleOf, legend };
})();
