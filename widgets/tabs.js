export default {
  render({ model, el }) {
    const { element } = sw;
    el.classList.add("sw", "sw-tabs");
    const names = model.get("names");
    const list = element("div", { role: "tablist", "aria-label": "What the middle shows" });
    const id = `sw-tabs-${Math.random().toString(36).slice(2, 8)}`;
    const tabs = names.map((name, i) => element("button", { role: "tab", id: `${id}-${i}`, onclick: () => go(i) }, name));
    list.append(...tabs);
    el.append(list);
    let root = null;
    let last = 0;

    function panes() {
      return names.map((_, i) => root?.querySelector(`.sw-pane-${i}`));
    }
    function go(index) {
      last = index;
      tabs.forEach((tab, i) => {
        tab.setAttribute("aria-selected", String(i === index));
        tab.tabIndex = i === index ? 0 : -1;
      });
      panes().forEach((pane, i) => {
        if (!pane) return;
        pane.setAttribute("role", "tabpanel");
        pane.setAttribute("aria-labelledby", `${id}-${i}`);
        pane.classList.toggle("sw-away", i !== index);
      });
      if (root) root.dataset.tab = names[index]; // the layout of a tab may be its own
      window.dispatchEvent(new Event("resize"));
    }
    list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = (tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length;
      go(next);
      tabs[next].focus();
    });
    function follow(event) {
      const index = names.indexOf(event.detail?.tab);
      if (index >= 0) go(index);
    }
    // The panes are attached after this view: wait until they are all there.
    let tries = 0;
    let timer = 0;
    function attach() {
      root = el.closest(`.${model.get("root")}`);
      if ((!root || panes().some((pane) => !pane)) && tries++ < 100) {
        timer = setTimeout(attach, 50);
        if (root) go(last);
        return;
      }
      root?.addEventListener("sw-go", follow);
      go(last);
    }
    sw.shield(el);
    go(0);
    timer = setTimeout(attach, 0);
    return () => { clearTimeout(timer); root?.removeEventListener("sw-go", follow); };
  },
};
