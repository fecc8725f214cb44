// The editor: a slice, the label map over it, tools, and what is saved. The label map lives in the
// browser while a stroke is drawn; when the brush is lifted, all of it goes to the kernel.
function render({ model, el }) {
  const { element } = sw;
  const noun = model.get("noun");
  const PATIENCE = 5000;     // ms until a kernel that does not answer is told
  const SLOW = 1000;         // ms that a stroke may wait until no other is begun
  const me = Math.random().toString(36).slice(2);
  const mine = new Set();    // tickets of my strokes: this browser knows their label maps
  let tickets = 0;
  let waiting = "";          // ticket of a wish that replaces the label map
  let moving = "";           // ticket of an undo or redo
  let grown = "";            // ticket of the scribbles that grow
  const unsaved = new Map(); // ticket of a stroke that is being saved → when it was sent
  let failed = false;        // what is on the stage could not be saved
  let notice = "";           // why something was not done, until the next stroke
  let late = 0;
  let stamp = 0;
  let replacing = 0;         // the load that brings another label map
  let loaded = {};           // the info that belongs to what is on the stage
  let before = null;         // the label map before the stroke
  let agreed = null;         // the label map that browser and kernel agreed on last
  let behind = false;        // others have drawn: their map is taken when all strokes are saved
  let changed = null;
  let place = "";            // the slice that was worked on last
  const clock = editorClock({ slot: () => `${model.get("about").annotator} ${place}` });
  let repeats = [];          // undo (false) and redo (true) that were pressed meanwhile
  let refocus = false;       // what was pressed may be gone: keys go to the stage
  const undo = [];

  // ------------------------------------------------------------ the kernel
  const stroking = (what) => what === "stroke" || what === "save";
  function ask(what, wish = {}, buffers = undefined) {
    if (["answer", "turn"].includes(what) && unsettled()) { say("One moment"); return ""; } // it would be of a slice that nobody has seen
    tickets += 1;
    const ticket = `${me}-${tickets}`;
    if (["stroke", "answer", "tool"].includes(what)) wish.seconds = clock.spent(ticket);
    if (["stroke", "save", "answer", "tool", "undo", "redo"].includes(what)) wish.place = [loaded.row, loaded.depth];
    if (stroking(what)) { mine.add(ticket); unsaved.set(ticket, performance.now()); }
    else if (what !== "train") waiting = ticket;
    if (["edit", "turn", "answer", "back", "undo", "redo", "look"].includes(what)) refocus = true;
    if (["tool", "train"].includes(what) || wish.start) upper.focus({ preventScroll: true }); // what was pressed is closed or disabled
    if (what === "tool" && wish.name === "scribbles") grown = ticket;
    clearTimeout(late);
    if (unsaved.size || waiting) late = setTimeout(() => { waiting = moving = upper.style.cursor = ""; repeats = []; status("failed", `${unsaved.size ? "not saved yet" : "no answer yet"}: the kernel does not answer`); }, PATIENCE);
    if (stroking(what)) status("saving", "saving …");
    if (waiting) upper.style.cursor = "progress";
    if (!post({ do: what, ticket, stamp: ticket, ...wish }, buffers)) status("failed", `${stroking(what) ? "not saved" : "no answer"}: the kernel has stopped`);
    return ticket;
  }
  function post(content, buffers) {
    try {
      model.send(content, undefined, buffers);
      return true;
    } catch { // the kernel was restarted, and this picture is of a session that has ended
      return false;
    }
  }
  function answered(message) {
    if (message?.saved) wasSaved(message.saved, "");
    if (!message?.done) return;
    const { done, message: problem } = message;
    clock.answered(done, !problem || model.get("info").saved === false); // what waits for the disk is taken
    if (done === waiting) { waiting = ""; upper.style.cursor = ""; }
    if (done === moving) {
      moving = "";
      setTimeout(redoNext, 0);
    }
    if (done === grown) { grown = ""; computed.answered(problem); }
    wasSaved(done, problem);
    if (!unsaved.size && !waiting) clearTimeout(late);
    if (!unsaved.size && behind) load();
  }
  function wasSaved(ticket, problem) {
    if (!unsaved.has(ticket)) return;
    for (const each of unsaved.keys()) { // they are saved in order
      unsaved.delete(each);
      if (each === ticket) break;
    }
    if (unsaved.size) return;
    failed = Boolean(problem);
    if (failed) { status("failed", "not saved"); return; } // why stands below
    agreed = before ?? state.map.data.slice();
    status("saved", "saved");
    if (notice) note("");
    root.dispatchEvent(new CustomEvent("sw-saved"));
  }
  const unsettled = () => waiting || replacing || loaded.key !== model.get("info").key;
  const stuck = () => failed || (unsaved.size > 0 && performance.now() - unsaved.values().next().value > SLOW);

  // ------------------------------------------------------------ the page
  const lower = element("canvas", { class: "sw-editor-picture", "aria-hidden": "true" });
  const upper = element("canvas", { class: "sw-editor-mask", tabindex: "0", role: "application", "aria-roledescription": "drawing" });
  const marks = sw.svg("svg", { class: "sw-editor-marks", "aria-hidden": "true" });
  const letters = ["left", "right", "top", "bottom"].map((side) => element("span", { class: `sw-editor-letter sw-${side}`, "aria-hidden": "true" }));
  const banner = editorBanner({ ask });
  const empty = element("div", { class: "sw-editor-empty", hidden: true });
  const stage = element("div", { class: "sw-editor-stage" }, lower, upper, marks, ...letters, banner.node, empty);
  const queue = editorQueue({ model, ask, noun });
  const saved = element("span", { class: "sw-editor-saved", role: "status" });
  const again = element("button", { hidden: true, onclick: () => send("save", loaded.tool || "brush", agreed) }, "Save again");
  const title = element("h3");
  const facts = element("span", { class: "sw-soft sw-number" });
  const begin = editorMenu("Start over", "Start over from the prediction, the last annotation, or nothing; undo brings back what was drawn");
  const head = element("div", { class: "sw-editor-head" }, queue.back, title, queue.forth, facts, saved, again);
  const words = element("p", { class: "sw-editor-words", role: "alert" });
  const others = element("p", { class: "sw-editor-others sw-soft sw-number" }); // no alert: its numbers follow every stroke
  const spoken = element("div", { class: "sw-hidden", "aria-live": "polite" });

  const aspectOf = () => {
    const [row, column] = loaded.spacing ?? [1, 1];
    const least = Math.min(row, column);
    return [column / least, row / least];
  };
  const screen = editorScreen({ lower, upper, marks, aspectOf });
  screen.setColors(model.get("classes"));
  const { state } = screen;
  const editor = {
    tool: "brush", label: 1, size: 0, active: clock.active, say, choose, hold, inflated,
    smartFill: (at) => computed.smartFill(at),
    open: () => loaded.open && !loaded.looking,
    follow: (at) => panels.follow(at),
    nameOf: (value) => model.get("classes")[value]?.name ?? `label ${value}`,
    ready() {
      if (!loaded.open) say("Nothing is open");
      else if (loaded.awaited) say(loaded.awaited);
      else if (loaded.looking) say("This slice is only looked at: press Enter on it to edit it");
      else if (unsettled()) say("One moment");
      else if (stuck()) note("Nothing more can be drawn until the last stroke is saved.");
      else return true;
      return false;
    },
    begin() {
      if (!editor.ready()) return false;
      if (notice) note("");
      before = state.map.data.slice();
      changed = null;
      if (editor.tool === "scribbles") computed.beginScribble();
      return true;
    },
    brush(from, to, size, value) {
      if (editor.tool === "superpixels") return computed.paintRegions(from, to, size, value);
      if (editor.tool === "scribbles") return computed.scribble(from, to, size, value);
      return painting.sweep(state.map, from, to, size, aspectOf(), value);
    },
    touched(box) {
      if (!box) return;
      changed = painting.join(changed, box);
      screen.paintMask(box);
    },
    finish(tool) {
      if (!before) return;
      const was = before;
      const moved = changed && was.some((value, i) => value !== state.map.data[i]);
      before = null;
      root.dispatchEvent(new CustomEvent("sw-stroke", { detail: { data: state.map.data, moved: Boolean(moved) } }));
      if (moved) send("stroke", tool, was);
      else if (tool === "scribbles") say("scribbled");
      else say("Nothing changed");
    },
    cancel() {
      if (!before) return;
      state.map.data.set(before);
      before = null;
      if (editor.tool === "scribbles") computed.undoScribble();
      if (changed) screen.paintMask(changed);
    },
  };
  function send(what, tool, was) {
    loaded.tool = tool;
    ask(what, { tool }, [state.map.data.slice().buffer, was.slice().buffer]);
  }
  const computed = editorComputed({ model, ask, editor, screen, aspectOf });
  const panels = editorPanels({ model, ask, editor, screen, choose, options: [computed.options, element("span", { class: "sw-editor-gap" }), computed.beside, begin.node] });
  const hands = editorHands({ stage: upper, screen, editor, aspectOf });
  const root = sw.shield(element("section", { class: "sw sw-editor", "aria-label": "Annotate" },
    queue.panel,
    element("div", { class: "sw-editor-middle" }, head, panels.tools, stage, panels.through, words, others),
    element("aside", { class: "sw-editor-side", "aria-label": `Around the ${noun}` }, panels.neighbors, panels.planes, panels.labels, panels.display, queue.row),
    queue.dialog, panels.help, spoken));
  el.classList.add("sw-editor-host");
  el.append(root);

  function say(text) { spoken.textContent = text; }
  function note(text) {
    notice = text;
    tell();
  }
  function status(kind, text) {
    saved.dataset.state = kind;
    saved.textContent = saved.title = text;
    again.hidden = kind !== "failed" || !unsavedMap();
  }
  const unsavedMap = () => loaded.open && !loaded.looking && (unsaved.size || failed);
  function choose(tool) {
    hands?.drop();
    hold(tool);
    computed.chosen(tool);
  }
  function hold(tool) {
    editor.tool = tool;
    panels.paintTools();
    say(tool);
  }

  // ------------------------------------------------------------ what came from the kernel
  async function inflated(bytes) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }
  async function load() {
    const turn = ++stamp;
    const info = model.get("info");
    const [pictures, ranges] = [model.get("pictures"), model.get("ranges")];
    const other = info.key !== loaded.key;
    const keep = !other && (unsaved.size || mine.has(info.stamp)); // drawn here, perhaps further than the kernel knows
    behind = Boolean(keep && !mine.has(info.stamp));
    if (!keep && info.open) replacing = turn;
    const [height, width] = info.shape ?? [0, 0];
    const [data, decoded] = await Promise.all([
      !keep && info.open ? inflated(model.get("mask")) : null,
      Promise.all(Object.entries(pictures).map(async ([key, bytes]) => [key, await panels.picture(key, bytes, ranges[key])])),
    ]);
    if (turn !== stamp) return; // something newer came meanwhile
    replacing = 0;
    const found = Object.fromEntries(decoded);
    const resized = height !== state.map.height || width !== state.map.width || String(info.spacing) !== String(loaded.spacing);
    if (other) { hands.drop(); unsaved.clear(); failed = false; notice = ""; }
    loaded = { ...info, tool: loaded.tool };
    if (info.open && (!info.looking || info.awaited)) place = `${info.row}/${info.depth}`;
    if (!info.open) state.map = { data: new Uint8Array(0), width: 0, height: 0 };
    else if (data && unsaved.size) behind = true; // a stroke was finished meanwhile
    else if (data && data.length === width * height) {
      agreed = data.slice();
      if (before) beneath(data);
      else state.map = { data, width, height };
    }
    const fresh = state.picture !== found.picture;
    state.picture = found.picture ?? null;
    if (String(info.window) !== String(state.opened)) { state.opened = info.window; state.window = [...(info.window ?? [0, 1])]; }
    if (!editor.size && height) editor.size = Math.max(3, 2 * Math.floor(Math.min(height, width) / 80) + 1);
    if (resized) { screen.forget(); screen.fit(); }
    if (other || fresh) computed.opened();
    if (fresh || other) screen.shade();
    describe(found);
    screen.resize();
    hands.paint();
    const focused = document.activeElement;
    if (refocus && info.open && (other || focused === document.body || focused?.disabled)) upper.focus({ preventScroll: true });
    refocus = false;
    redoNext();
    root.dataset.ready = info.open ? info.key : "empty";
  }
  function beneath(data) { // what others have drawn, under the stroke that is being drawn
    state.map.data.forEach((value, i) => { if (value === before[i]) state.map.data[i] = data[i]; });
    before = data;
    screen.paintAll();
  }
  function tell() {
    words.textContent = [...new Set([loaded.words, model.get("message"), notice])].filter(Boolean).join(" ");
    words.hidden = !words.textContent;
    others.textContent = loaded.others ?? "";
    others.hidden = !loaded.others;
    words.classList.toggle("sw-editor-bad", Boolean(model.get("message") || notice) || loaded.saved === false);
  }
  function describe(found) {
    const info = loaded;
    const tail = info.open && info.case.length > 12 ? info.case.length - 6 : 0; // the end of the case's name and the slice are never cut
    sw.put(title, ...(info.open ? [element("span", {}, info.name.slice(0, tail)), element("span", {}, info.name.slice(tail))] : ["Annotate"]));
    title.title = [info.name, info.reason].filter(Boolean).join("\n");
    facts.textContent = info.open && !info.looking ? [`from ${info.started_from === "empty" ? "nothing" : `the ${info.started_from}`}`, sw.count(info.strokes, "stroke", "strokes"), queue.minutes(info.seconds)].filter(Boolean).join(" · ") : "";
    const starts = info.starts ?? [];
    computed.beside.hidden = begin.node.hidden = !info.open || info.looking;
    begin.fill(starts.map((start) => [start === "empty" ? "From nothing" : `From the ${start === "annotation" ? "last annotation" : start}`, "", () => ask("edit", { row: loaded.row, depth: loaded.depth, start })]));
    if (info.open && !info.looking && !unsaved.size) {
      failed = !info.saved;
      if (failed) status("failed", "not saved");
      else status("saved", info.strokes ? "saved" : "");
    } else if (!info.open || info.looking) status("", "");
    tell();
    letters.forEach((node, i) => { node.textContent = info.letters?.[i] ?? ""; });
    banner.paint(info);
    empty.hidden = info.open === true;
    if (!info.open) {
      sw.put(empty, ...(info.lines ?? []).map((line) => element("p", {}, line)),
        model.get("tasks").length ? element("button", { class: "sw-primary", onclick: () => ask("turn", { by: 1 }) }, "Begin with the first suggestion") : null);
    }
    upper.setAttribute("aria-label", info.open ? `${info.name}${info.looking ? ", only looked at" : ""}. Arrow keys move the cursor, space or Enter puts the brush down and lifts it, question mark lists all keys.` : "Nothing is open");
    upper.setAttribute("aria-disabled", String(!info.open || info.looking));
    panels.paint(found, loaded);
    queue.paint();
    queue.enable(info.open && !info.looking, info.open && Boolean(info.awaited));
  }

  // ------------------------------------------------------------ keys
  const keys = { // beside those of the stage; see editorHands
    b: () => choose("brush"), e: () => choose("eraser"), p: () => choose("polygon"), f: () => choose("fill"), i: () => choose("smart fill"), x: () => choose("superpixels"),
    g: () => { if (editor.tool === "scribbles" && computed.scribbled) computed.grow(); else choose("scribbles"); },
    "[": () => panels.resize(-1), "]": () => panels.resize(1), ",": () => panels.nextLabel(-1), ".": () => panels.nextLabel(1),
    v: (event) => computed.fromNeighbors("copy", event.shiftKey ? "after" : "before"), m: () => computed.fromNeighbors("interpolate"),
    z: () => redoing(false), y: () => redoing(true),
    n: (event) => ask("turn", { by: event.shiftKey ? -1 : 1 }),
    d: () => queue.answers.done.click(), u: () => queue.answers.unsure.click(), s: () => queue.answers.skip.click(),
    c: () => panels.toggle("fills"), h: () => panels.toggle("hidden"), o: () => panels.showPlanes(), r: () => panels.reset(),
    "+": () => screen.zoom(1.25), "=": () => screen.zoom(1.25), "-": () => screen.zoom(0.8),
    "?": () => panels.help.showModal(), PageUp: () => panels.leaf(1), PageDown: () => panels.leaf(-1),
    Escape: () => { if (loaded.looking && loaded.back) ask("back"); },
  };
  function redoing(on) {
    if (hands.drawing) { hands.drop(); return; }
    if (!on && computed.undoScribble()) return;
    if ((moving || replacing) && repeats.length < 50) { repeats.push(on); return; }
    if (!editor.ready()) return;
    if (unsaved.size || (on ? loaded.can_redo : loaded.can_undo)) { ask(on ? "redo" : "undo"); moving = waiting; }
    else say(on ? "Nothing to redo" : "Nothing to undo");
  }
  function redoNext() { if (repeats.length && !moving && !replacing) redoing(repeats.shift()); }
  editor.redoing = redoing;
  for (const each of ["pointerdown", "pointermove", "input"]) root.addEventListener(each, clock.active); // also beside the stage
  root.addEventListener("keydown", (event) => {
    clock.active();
    const { target } = event;
    if (target.closest("dialog, [popover]") || target.matches("select, input[type=text], input[type=number]")) return;
    if (target === upper && loaded.looking && event.key === "Enter") { ask("edit", { row: loaded.row, depth: loaded.depth }); return; }
    if (target === upper && hands.stageKey(event)) { event.preventDefault(); return; }
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) {
      if (key !== "z" && key !== "y") return;
      event.preventDefault();
      redoing(key === "y" || event.shiftKey);
    } else if (event.altKey) return;
    else if (/^[0-9]$/.test(key)) panels.setLabel(Number(key));
    else if (key === "z") redoing(event.shiftKey);
    else if (keys[key]) {
      event.preventDefault();
      if (!event.repeat || !"dusnvm".includes(key)) keys[key](event); // a key that is held answers once
    }
  });

  // ------------------------------------------------------------ life
  const on = (names, handler) => {
    for (const each of names) { model.on(each, handler); undo.push(() => model.off(each, handler)); }
  };
  let due = false;
  on(["change:info", "change:pictures", "change:mask", "change:outlines", "change:channel"], () => {
    if (due) return;
    due = true;
    queueMicrotask(() => { due = false; load(); });
  });
  on(["change:tasks", "change:cases", "change:training", "change:about"], () => queue.paint());
  on(["change:message"], () => { tell(); queue.paint(); }); // a name that was refused is put back
  on(["change:classes"], () => { screen.setColors(model.get("classes")); panels.paintLabels(); screen.paintAll(); });
  on(["msg:custom"], answered);
  const sized = new ResizeObserver(() => screen.resize());
  sized.observe(stage);
  let visible = false;
  const seen = new IntersectionObserver((entries) => {
    const now = entries.at(-1).isIntersecting;
    if (now !== visible) post({ do: "visible", client: me, on: now });
    if (now) clock.returned();
    visible = now;
  });
  seen.observe(root);
  // What others have drawn is asked for now and then, while somebody looks.
  const asking = setInterval(() => { if (visible && !document.hidden && !hands.drawing) post({ do: "catch_up" }); }, 5000);
  choose("brush");
  load();
  return () => {
    clearInterval(asking);
    clearTimeout(late);
    clock.stop();
    panels.stop();
    computed.stop();
    sized.disconnect();
    seen.disconnect();
    for (const each of undo) each();
  };
}
export default { render };
