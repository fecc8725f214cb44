export default {
  render({ model, el }) {
    const { element } = sw;
    el.classList.add("sw", "sw-rail");
    const signs = { "not started": "○", running: "◔", ready: "✓", stale: "↻", failed: "✕" };
    const list = element("ol", { "aria-label": "Steps" });
    el.append(list);
    const parts = new Map();

    function part(item) {
      const sign = element("span", { class: "sw-rail-sign", "aria-hidden": "true" });
      const name = element("span", { class: "sw-rail-name" });
      const words = element("b", { class: "sw-rail-words sw-number" });
      const detail = element("span", { class: "sw-rail-detail" });
      const line = element("span", { class: "sw-rail-line" }, name, words);
      const bar = element("span", { class: "sw-rail-bar" }, element("span"));
      const button = element("button", {
        class: "sw-rail-step",
        onclick: () => button.dispatchEvent(new CustomEvent("sw-go", { bubbles: true, detail: { tab: item.tab, step: item.key } })),
      }, sign, line, detail, bar);
      list.append(element("li", {}, button));
      return { button, sign, name, words, detail, bar };
    }

    function show() {
      for (const item of model.get("items")) {
        if (!parts.has(item.key)) parts.set(item.key, part(item));
        const { button, sign, name, words, detail, bar } = parts.get(item.key);
        button.dataset.state = item.state;
        sign.textContent = signs[item.state] ?? "○";
        name.textContent = item.name;
        words.textContent = item.words;
        detail.textContent = item.detail;
        detail.hidden = !item.detail;
        button.title = item.detail ? `${item.about}\n${item.words}: ${item.detail}` : item.about;
        bar.hidden = item.state !== "running" || item.fraction < 0;
        bar.firstChild.style.width = `${100 * Math.max(item.fraction, 0)}%`;
      }
    }
    model.on("change:items", show);
    sw.shield(el);
    show();
  },
};
