// Copying text. If the page may not use the clipboard, as in a notebook's frame, the text is selected and copied.
const clipboard = (() => {
  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = elements.html("textarea", { class: "unseen", "aria-hidden": "true" });
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    elements.say("copied");
  }

  function button(title, text) {
    const made = elements.button(title, "Copy to the clipboard", async () => {
      await copy(text());
      made.textContent = "Copied";
      setTimeout(() => { made.textContent = title; }, 1200);
    }, { class: "copy" });
    return made;
  }

  return { button };
})();
