export default {
  render({ model, el }) {
    const { element } = sw;
    el.classList.add("sw", "sw-activity");
    const problem = element("div", { class: "sw-activity-problem", role: "alert" });
    const list = element("ol", { "aria-label": "What happened, newest first", tabindex: 0 });
    el.append(element("h3", {}, "What happened"), problem, list);
    function show() {
      problem.textContent = model.get("problem");
      problem.hidden = !model.get("problem");
      const lines = model.get("lines");
      list.replaceChildren(...(lines.length ? lines : ["Nothing yet."]).map((line) => element("li", {}, line)));
    }
    model.on("change:lines", show);
    model.on("change:problem", show);
    sw.shield(el);
    show();
  },
};
