// A button that opens a few others. Nothing is done before one of these is pressed: in a select,
// an arrow key alone is a choice.
function editorMenu(text, about) {
  const { element } = sw;
  const [WIDTH, HEIGHT] = [216, 28]; // CSS pixels of a choice
  const list = element("div", { class: "sw-editor-choices", popover: "auto", role: "group", "aria-label": about });
  const button = element("button", { title: about }, text, element("span", { "aria-hidden": "true" }, " ▾"));
  button.popoverTargetElement = list;
  list.addEventListener("beforetoggle", (event) => { // it lies above the page: nothing cuts it off
    if (event.newState !== "open") return;
    const { left, bottom } = button.getBoundingClientRect();
    const height = HEIGHT * list.children.length + 10;
    list.style.left = `${Math.max(0, Math.min(left, window.innerWidth - WIDTH - 4))}px`;
    list.style.top = `${Math.max(0, Math.min(bottom + 2, window.innerHeight - height - 4))}px`;
    list.style.width = `${WIDTH}px`;
  });
  list.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const all = [...list.children];
    all[(all.indexOf(document.activeElement) + by + all.length) % all.length]?.focus();
  });
  list.addEventListener("focusout", ({ relatedTarget: to }) => {
    if (to && to !== button && !list.contains(to)) list.hidePopover();
  });
  let shown = "";
  return {
    node: element("span", { class: "sw-editor-menu" }, button, list),
    fill(choices) { // [text, key, what it does]; those that are there already stay
      const now = choices.map(([name]) => name).join("\n");
      if (now === shown) return;
      shown = now;
      list.replaceChildren(...choices.map(([name, key, act], i) => element("button", { class: "sw-quiet", autofocus: i === 0, onclick: () => { list.hidePopover(); act(); } },
        name, key ? element("kbd", { "aria-hidden": "true" }, key) : null)));
    },
  };
}
