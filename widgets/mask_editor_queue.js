// Beside the stage: what is to be done, the cases, and the answers. All text is untrusted.
function editorQueue({ model, ask, noun }) {
  const { element } = sw;
  const SIGNS = { suggested: "○", "in progress": "◐", done: "●", unsure: "?", skipped: "–" };
  // The last one begins with a word of workbench.session.queue: such a slice is never suggested again.
  const REASONS = ["The border cannot be seen", "Somebody else should decide", "Nothing here is worth annotating", "Unusable: the image is damaged or of something else"];
  const plural = (n) => sw.count(n, noun, `${noun}s`);

  // ------------------------------------------------------------ queue and cases
  const bar = element("div", { class: "sw-editor-bar", role: "progressbar", "aria-valuemin": 0 }, element("i"));
  const words = element("div", { class: "sw-editor-progress sw-number" });
  const train = element("button", { class: "sw-primary", onclick: () => ask("train") }, "Train with these");
  const training = element("div", { class: "sw-editor-training", role: "status" });
  const tabs = ["Queue", "Cases"].map((name, i) => element("button", { role: "tab", class: "sw-quiet", onclick: () => turn(i) }, name));
  const tablist = element("div", { class: "sw-editor-tabs", role: "tablist", "aria-label": "What is listed" }, ...tabs);
  tablist.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
    event.preventDefault();
    turn(1 - shown);
    tabs[shown].focus();
  });
  const list = element("div", { class: "sw-editor-list" });
  const name = element("input", { type: "text", class: "sw-editor-who", maxlength: 80, "aria-label": "Name of the annotator", placeholder: "your name", onchange: () => ask("sign", { name: name.value }) });
  const panel = element("aside", { class: "sw-editor-queue", "aria-label": "Queue" }, words, bar, train, training, tablist, list,
    element("label", { class: "sw-editor-sign" }, element("span", { class: "sw-soft" }, "annotator"), name));
  let shown = 0;

  function turn(index) {
    shown = index;
    tabs.forEach((tab, i) => {
      tab.setAttribute("aria-selected", String(i === index));
      tab.tabIndex = i === index ? 0 : -1;
    });
    paintList();
  }
  function minutes(seconds) {
    if (!seconds) return "";
    return seconds < 60 ? `${Math.round(seconds)}\u00a0s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)}\u00a0s`;
  }
  let listed = [];
  function paintList() {
    const info = model.get("info");
    const now = [shown, model.get("tasks"), model.get("cases"), info.row, info.case];
    if (listed.length && now.every((each, i) => each === listed[i])) return; // a stroke changes nothing here
    listed = now;
    const scrolled = list.scrollTop;
    const rows = shown === 0 ? model.get("tasks").map((task) => {
      const about = [task.state, ...task.annotators, minutes(task.seconds)].filter(Boolean).join(" · ");
      return element("button", { class: "sw-editor-task", "data-state": task.state, "aria-current": task.row === info.row ? "true" : null, title: [`${task.case} · ${task.place}`, about, task.note, task.differs && "Several people answered it differently: training uses the last “done”."].filter(Boolean).join("\n"), onclick: () => ask("edit", { row: task.row }) },
        element("span", { class: "sw-editor-sign-of", "aria-hidden": "true" }, SIGNS[task.state] ?? "○"),
        element("span", {}, element("b", {}, task.case), element("small", {}, task.place), element("small", { class: "sw-soft" }, about),
          task.differs ? element("small", { class: "sw-editor-differs" }, element("span", { "aria-hidden": "true" }, "≠ "), "answers differ") : null));
    }) : model.get("cases").map((each) => element("button", { class: "sw-editor-task", "aria-current": each.case === info.case ? "true" : null, title: `Look through ${each.case}`, onclick: () => ask("look", { row: each.row }) },
      element("span", { class: "sw-editor-sign-of", "aria-hidden": "true" }, each.done ? "●" : ""),
      element("span", {}, element("b", {}, each.case), element("small", { class: "sw-soft" }, `${plural(each.count)}${each.done ? ` · ${each.done} done` : ""}`))));
    if (!rows.length) rows.push(element("p", { class: "sw-soft" }, shown === 0 ? `What is suggested is listed here, to be annotated one after the other. Any other ${noun} is found under Cases.` : "The cases are listed here once the cohort is open."));
    list.replaceChildren(...rows);
    list.scrollTop = scrolled;
    const current = list.querySelector("[aria-current]");
    if (current && document.activeElement !== current) keepInView(current);
  }
  function keepInView(node) {
    const over = node.offsetTop + node.offsetHeight - list.scrollTop - list.clientHeight;
    if (over > 0) list.scrollTop += over + 4;
    else if (node.offsetTop < list.scrollTop) list.scrollTop = node.offsetTop - 4;
  }
  function paint() {
    const about = model.get("about");
    const tasks = model.get("tasks");
    const done = tasks.filter((task) => task.state === "done").length;
    const answered = tasks.filter((task) => ["unsure", "skipped"].includes(task.state)).length;
    words.textContent = tasks.length ? `${done} of ${tasks.length} done${answered ? `, ${answered} answered otherwise` : ""}` : "Nothing is suggested yet";
    bar.hidden = !tasks.length;
    bar.firstChild.style.width = `${100 * done / Math.max(tasks.length, 1)}%`;
    bar.setAttribute("aria-valuemax", tasks.length);
    bar.setAttribute("aria-valuenow", done);
    bar.setAttribute("aria-valuetext", words.textContent);
    training.textContent = model.get("training");
    training.hidden = !model.get("training");
    train.disabled = !about.trainable;
    train.title = about.trainable ? `Start the next round with the ${plural(about.trainable)} that are done; annotation goes on meanwhile` : about.untrainable || "";
    if (document.activeElement !== name) name.value = about.annotator ?? "";
    paintList();
  }

  // ------------------------------------------------------------ answers
  const button = (text, key, about, action, kind = "") => element("button", { class: kind, title: `${about} (${key})`, onclick: action }, text, element("kbd", { "aria-hidden": "true" }, key));
  const answers = {
    done: button("Done", "D", "The annotation is right: the next round learns from it", (event) => once(event, "done"), "sw-primary"),
    unsure: button("Unsure", "U", "The annotation is kept, and not learned from", (event) => once(event, "unsure")),
    skip: button("Skip…", "S", "Leave it out, and say why", whySkip),
  };
  const arrow = (text, about, by) => element("button", { class: "sw-quiet", title: about, "aria-label": about, onclick: () => ask("turn", { by }) }, text);
  const back = arrow("◂", "Previous of the queue (Shift+N)", -1);
  const forth = arrow("▸", "Next of the queue that is not answered (N)", 1);
  const row = element("div", { class: "sw-editor-answers", role: "group", "aria-label": "Answer" }, answers.done, answers.unsure, answers.skip);
  const group = `sw-why-${Math.random().toString(36).slice(2)}`;
  const reasons = element("div", { class: "sw-editor-reasons", role: "radiogroup", "aria-label": "Reason" },
    ...REASONS.map((text, i) => element("label", {}, element("input", { type: "radio", name: group, value: text, checked: i === 0 }), ` ${text}`)));
  const note = element("input", { type: "text", maxlength: 500, "aria-label": "In your own words", placeholder: "in your own words (optional)" });
  const which = element("h3");
  const hold = element("p", { class: "sw-editor-hold", role: "alert" });
  const dialog = element("dialog", { class: "sw-editor-skip", "aria-label": "Why is it skipped?" },
    element("form", { onsubmit: skip }, which, reasons, note, hold,
      element("div", { class: "sw-editor-row" }, element("button", { class: "sw-primary", type: "submit" }, "Skip it"), element("button", { type: "button", onclick: () => dialog.close() }, "Cancel"))));

  function once(event, kind) { if (event.detail < 2) give(kind); } // the second click of a double click is none
  function give(kind, text = "") { return ask("answer", { kind, note: text }); }
  let asked = ""; // the slice that the dialog asks about
  function isAsked() { // whether it is still the same; it is named now
    const { row, depth, name: called } = model.get("info");
    const same = asked === `${row}/${depth}`;
    asked = `${row}/${depth}`;
    which.textContent = `Skip ${called}, because …`;
    hold.textContent = "";
    return same;
  }
  function whySkip() {
    if (!isAsked()) { // on the same slice all is as it was left
      note.value = "";
      reasons.querySelector("input").checked = true;
    }
    dialog.showModal();
    reasons.querySelector("input:checked").focus();
  }
  function skip(event) {
    event.preventDefault();
    const chosen = reasons.querySelector("input:checked").value;
    if (!isAsked()) hold.textContent = "Another one was opened meanwhile. Skip this one?";
    else if (give("skipped", [chosen, note.value.trim()].filter(Boolean).join(": "))) dialog.close();
    else hold.textContent = "One moment: what you asked for before is still on its way. Then press again.";
  }
  function enable(open, awaited) { // what is awaited can be put aside unseen
    answers.done.disabled = !open;
    answers.unsure.disabled = answers.skip.disabled = !open && !awaited;
    back.disabled = forth.disabled = !model.get("tasks").length;
  }
  turn(0);
  return { panel, row, back, forth, dialog, answers, paint, enable, minutes };
}
