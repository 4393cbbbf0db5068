// Elements of the page. All text goes into text nodes; invisible characters in it are shown as escapes.
const elements = (() => {
  const SVG = "http://www.w3.org/2000/svg";

  const visible = (text) => String(text).replace(/[\p{C}\p{Z}]/gu, (sign) =>
    sign === " " ? sign : `\\u{${sign.codePointAt(0).toString(16)}}`);

  function filled(made, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
    made.append(...children.filter((child) => child !== null).map((child) => child instanceof Node ? child : visible(child)));
    return made;
  }

  const html = (name, attributes = {}, ...children) => filled(document.createElement(name), attributes, children);
  const svg = (name, attributes = {}, ...children) => filled(document.createElementNS(SVG, name), attributes, children);
  const get = (id) => document.getElementById(id);

  function button(text, title, act, attributes = {}) {
    const made = html("button", { type: "button", title, ...attributes }, text);
    made.addEventListener("click", act);
    return made;
  }

  // The next message for screen readers.
  function say(text) {
    get("said").textContent = visible(text);
  }

  return { html, svg, get, button, say, visible };
})();
