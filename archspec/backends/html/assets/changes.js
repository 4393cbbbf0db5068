// What differs, beside the pictures: a list of changes that can be selected, the totals, and which weights fit.
const changes = (() => {
  const { html } = elements;
  const KINDS = { "+": "added", "-": "removed", "~": "changed" };

  function list(host, rows, choose) {
    const made = rows.map((row) => html("tr", { tabindex: "0", class: `is-${KINDS[row.mark]}`, "data-a": row.a, "data-b": row.b },
      html("td", { class: "mark", "aria-label": KINDS[row.mark] }, row.mark), html("td", {}, row.name), html("td", {}, row.type), html("td", {}, row.details.join("; "))));
    made.forEach((line, number) => {
      line.addEventListener("click", () => choose(rows[number]));
      line.addEventListener("keydown", (event) => {
        const next = { ArrowDown: line.nextElementSibling, ArrowUp: line.previousElementSibling, Enter: line }[event.key];
        if (!next) return;
        event.preventDefault();
        next.focus();
        choose(rows[made.indexOf(next)]);
        next.focus();
      });
    });
    const head = html("tr", {}, ...["", "layer", "type", "difference"].map((name) => html("th", { scope: "col" }, name)));
    host.append(rows.length ? html("table", { class: "changes" }, html("thead", {}, head), html("tbody", {}, ...made)) : html("p", {}, "Nothing differs."));
    return made;
  }

  function totals(host, names, rows) {
    const head = html("tr", {}, ...["", ...names, "difference"].map((name) => html("th", { scope: "col" }, name)));
    host.append(html("table", { class: "totals" }, html("thead", {}, head), html("tbody", {}, ...rows.map(([name, a, b, change]) =>
      html("tr", {}, html("th", { scope: "row" }, name), html("td", {}, a), html("td", { class: a === b ? null : "differs" }, b), html("td", {}, change))))));
  }

  const weights = (host, lines) => host.append(...lines.map((line) => html("p", {}, line)));

  // The facts of a layer in both networks, side by side.
  function both(sides) {
    const found = sides.map(({ network, node }) => node ? details.facts(network, node) : null);
    const values = found.map((one) => new Map(one ? [["path", sides[found.indexOf(one)].node.path], ...one.shown, ...one.fields] : []));
    const names = [...new Set(values.flatMap((one) => [...one.keys()]))];
    const row = (name) => {
      const [a, b] = values.map((one) => one.get(name) ?? "–");
      return html("tr", { class: found[0] && found[1] && a !== b ? "differs" : null }, html("th", { scope: "row" }, name), html("td", {}, a), html("td", {}, b));
    };
    return html("table", { class: "both" }, html("thead", {}, html("tr", {}, html("th", {}), ...sides.map(({ network }) => html("th", { scope: "col" }, network.data.name)))), html("tbody", {}, ...names.map(row)));
  }

  return { list, totals, weights, both };
})();
