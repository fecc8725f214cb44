// Over a slice that is only looked at: what is shown of it and what else there is. All text is untrusted.
function editorBanner({ ask }) {
  const { element } = sw;
  let info = {};
  let wanted = null; // what was chosen and is not shown yet: a fast hand is ahead of the kernel
  const words = element("span");
  const choice = element("select", { title: "Annotations, prediction or reference of this slice", onchange: () => { wanted = choice.value; ask("source", { key: wanted }); } });
  const shown = element("label", {}, "Only looked at, shown with", choice);
  const edit = element("button", { class: "sw-primary", onclick: () => ask("edit", { row: info.row, depth: info.depth, start: info.awaited ? "empty" : null }) });
  const back = element("button", { onclick: () => ask("back") }, "Back (Esc)");
  const node = element("div", { class: "sw-editor-banner", hidden: true }, shown, words, edit, back);

  function told(several) {
    if (info.awaited) return info.awaited;
    if (info.source === "predicting") return several ? "The model is predicting it …" : "Only looked at: the model is predicting it …";
    if (several) return "";
    return info.source ? `Only looked at, shown with the ${info.told}.` : "Only looked at: nothing is drawn on it yet.";
  }
  function paint(now) {
    const [before, sources] = [info, now.sources ?? []];
    info = now;
    node.hidden = !info.looking;
    if (!info.looking) return;
    const several = !info.awaited && sources.length > 1;
    if (JSON.stringify(before.sources) !== JSON.stringify(sources)) {
      choice.replaceChildren(...sources.map(({ key, words: name }) => element("option", { value: key }, name)));
      wanted = null;
    }
    if (before.key !== info.key || info.chosen === wanted) wanted = null;
    if (wanted === null) choice.value = info.chosen ?? "";
    shown.hidden = !several;
    words.textContent = told(several);
    words.hidden = !words.textContent;
    edit.textContent = info.awaited ? "Start from nothing" : "Edit this slice";
    back.hidden = !info.back;
  }
  return { node, paint };
}
