// Numbers as text. Integers that JavaScript cannot hold exactly come as text and are summed as BigInt.
const numbers = (() => {
  const UNITS = [["T", 1e12], ["G", 1e9], ["M", 1e6], ["K", 1e3]];

  const exact = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ",");

  // A count with three digits, as in images: 44.5 M.
  function quantity(value) {
    const unit = UNITS.find(([, size]) => Number(value) >= size);
    if (!unit) return String(value);
    const scaled = Number(value) / unit[1];
    return `${scaled.toFixed(2 - Math.min(2, String(Math.trunc(scaled)).length - 1))} ${unit[0]}`;
  }

  const sum = (values) => values.reduce((total, value) => total + BigInt(value), 0n);

  // The largest of any number of values; 0 for none.
  const most = (values) => values.reduce((found, value) => Math.max(found, value), values.length ? -Infinity : 0);

  // Elements as memory, in the precision that networks have by default.
  function memory(elements) {
    const bytes = 4 * Number(elements);
    const [unit, size] = bytes < 2 ** 20 ? ["KiB", 2 ** 10] : bytes < 2 ** 30 ? ["MiB", 2 ** 20] : ["GiB", 2 ** 30];
    return `${(bytes / size).toFixed(2)} ${unit} in float32`;
  }

  // A field's value as it is in a spec.
  function written(value) {
    if (Array.isArray(value)) return `[${value.map(written).join(", ")}]`;
    if (value !== null && typeof value === "object") return `{${Object.entries(value).map(([name, inner]) => `${name}: ${written(inner)}`).join(", ")}}`;
    return String(value);
  }

  return { exact, quantity, sum, most, memory, written };
})();
