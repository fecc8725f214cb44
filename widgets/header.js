export default {
  render({ model, el }) {
    const { element } = sw;
    el.classList.add("sw", "sw-header");
    const cohort = element("span", { class: "sw-header-cohort" });
    const where = element("span", { class: "sw-header-where sw-number" });
    const dot = element("span", { class: "sw-header-dot", "aria-hidden": "true" });
    const doing = element("span", { class: "sw-header-doing sw-number" });
    const state = element("span", { class: "sw-header-state", role: "status" }, dot, doing);
    const bar = element("div", { class: "sw-header-bar", role: "progressbar", "aria-label": "progress", "aria-valuemin": 0, "aria-valuemax": 100 },
      element("div", { class: "sw-header-done" }));
    const action = element("button", { class: "sw-primary", onclick: () => {
      model.send({ do: "next" });
      if (model.get("action").startsWith("Annotate")) el.dispatchEvent(new CustomEvent("sw-go", { bubbles: true, detail: { tab: "Annotate" } }));
    } });
    const stop = element("button", { class: "sw-header-stop", title: "Stop after this batch; what is finished is kept", onclick: () => model.send({ do: "stop" }) });
    const say = element("span", { class: "sw-header-message", role: "alert" });
    const rerun = element("button", { class: "sw-primary", onclick: runAgain }, "Run the cell again");
    const lost = element("div", { class: "sw-header-lost", role: "alert" },
      element("span", {}, "The kernel was restarted or has stopped, so this picture is of a session that has ended. What was trained is cached: run the cell again (Shift + Enter) to go on."),
      rerun);
    el.append(cohort, where, state, say, stop, action, bar, lost);

    // JupyterLab runs the cell on Shift + Enter; give it that key, in the cell's editor.
    function runAgain() {
      const cell = el.closest(".jp-CodeCell");
      const editor = cell?.querySelector(".jp-InputArea-editor");
      if (!editor) return;
      editor.dispatchEvent(new MouseEvent("mousedown", { bubbles: true }));
      const target = editor.querySelector(".cm-content") ?? editor;
      target.focus();
      target.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", code: "Enter", keyCode: 13, shiftKey: true, bubbles: true, cancelable: true }));
    }

    function show() {
      const busy = model.get("doing");
      const fraction = model.get("fraction");
      cohort.textContent = model.get("cohort");
      cohort.title = model.get("cohort");
      where.textContent = model.get("where");
      const left = model.get("left");
      const done = fraction >= 0 ? ` ${Math.floor(fraction * 100)} %` : "";
      doing.textContent = !busy ? "idle" : model.get("stopping") ? "stopping …" : `${busy}${done}${left ? ` · ${left}` : ""}`;
      state.title = doing.textContent;
      el.classList.toggle("sw-busy", Boolean(busy));
      bar.classList.toggle("sw-unknown", Boolean(busy) && fraction < 0);
      bar.style.visibility = busy ? "visible" : "hidden";
      bar.firstChild.style.width = fraction >= 0 ? `${100 * fraction}%` : "";
      if (fraction >= 0) bar.setAttribute("aria-valuenow", Math.round(fraction * 100));
      else bar.removeAttribute("aria-valuenow");
      stop.hidden = !busy;
      stop.disabled = model.get("stopping");
      stop.textContent = "■ Stop";
      const label = model.get("action");
      action.hidden = Boolean(busy) || !label;
      action.textContent = `${label} ▸`;
      action.title = model.get("hint");
      say.textContent = model.get("message");
      say.hidden = !model.get("message");
    }
    for (const name of ["cohort", "where", "doing", "fraction", "left", "action", "hint", "stopping", "message"]) model.on(`change:${name}`, show);
    sw.shield(el);
    show();
  },
};
