// Around the stage: tools, the case's other slices, labels, what is shown, the list of keys.
function editorPanels({ model, ask, editor, screen, choose, options }) {
  const { element } = sw;
  const { state } = screen;
  const SIZES = [1, 3, 5, 7, 9, 13, 17, 23, 31, 41, 55, 75, 99];
  const cache = new Map(); // bytes → decoded picture

  async function picture(key, bytes, range) {
    const before = cache.get(key);
    if (before?.bytes === bytes) return before.found;
    const found = await sw.picture(bytes, range);
    cache.set(key, { bytes, found });
    return found;
  }
  const outlines = (name) => (model.get("outlines")[name] ?? []).map(([value, points]) => [value, sw.array(Float32Array, points)]);

  // ------------------------------------------------------------ tools
  const TOOLS = [["brush", "B", "Brush: paint with the chosen label"], ["eraser", "E", "Eraser: back to background"],
    ["polygon", "P", "Polygon: click its corners, or draw around with the button down; Enter or a double click closes it"], ["fill", "F", "Fill: the connected pixels of one label get the chosen one"],
    ["smart fill", "I", "Smart fill: the connected pixels of like intensity get the chosen label"], ["superpixels", "X", "Superpixels: paint small regions of like intensity"],
    ["scribbles", "G", "Scribbles: mark some of a structure and some of the background (0), and let them grow"]];
  const buttons = TOOLS.map(([name, key, about]) => element("button", { "aria-pressed": "false", title: `${about} (${key})`, onclick: () => choose(name) }, name[0].toUpperCase() + name.slice(1), element("kbd", { "aria-hidden": "true" }, key)));
  const size = element("output", { class: "sw-number", title: "Diameter of brush and eraser in pixels" });
  const small = (text, about, action) => element("button", { class: "sw-quiet", title: about, "aria-label": about, onclick: action }, text);
  const back = small("↶", "Undo (Z)", () => editor.redoing(false));
  const forth = small("↷", "Redo (Shift+Z)", () => editor.redoing(true));
  const tools = element("div", { class: "sw-editor-tools", role: "toolbar", "aria-label": "Tools" }, ...buttons, element("span", { class: "sw-editor-break" }),
    element("span", { class: "sw-editor-size" }, small("−", "Smaller brush ([)", () => resize(-1)), size, small("+", "Larger brush (])", () => resize(1))), back, forth, ...options,
    small("?", "All keys (?)", () => help.showModal()));

  function paintTools() {
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(TOOLS[i][0] === editor.tool)));
    size.textContent = `${editor.size || "–"} px`;
  }
  function resize(by) {
    const here = SIZES.findIndex((each) => each >= editor.size);
    editor.size = SIZES[Math.min(Math.max((here < 0 ? SIZES.length - 1 : here) + by, 0), SIZES.length - 1)];
    paintTools();
    state.onmove?.();
    editor.say(`brush ${editor.size} pixels`);
  }

  // ------------------------------------------------------------ labels
  const labels = element("div", { class: "sw-editor-labels", role: "radiogroup", "aria-label": "Label" });
  function paintLabels() {
    const classes = model.get("classes");
    labels.replaceChildren(...classes.map(({ name, color, pattern }, i) => {
      const swatch = element("i", { class: i ? `sw-swatch sw-editor-swatch sw-hatch-${pattern}` : "sw-swatch sw-editor-swatch sw-editor-none" });
      if (i) swatch.style.setProperty("--swatch", color);
      const contour = sw.svg("svg", { class: "sw-editor-contour", viewBox: "0 0 24 14", "aria-hidden": "true" }, i ? sw.svg("path", { d: "M0 7H24", stroke: color, "stroke-width": 2, "stroke-dasharray": state.dashes[i].join(" ") || null }) : null);
      return element("button", { role: "radio", class: "sw-quiet", "aria-checked": String(i === editor.label), tabindex: i === editor.label ? 0 : -1, title: i < 10 ? `${name} (${i})` : name, onclick: () => setLabel(i) },
        swatch, contour, element("span", {}, name), i < 10 ? element("kbd", { "aria-hidden": "true" }, i) : null);
    }));
  }
  labels.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    nextLabel(by);
    labels.children[editor.label]?.focus();
  });
  function setLabel(value) {
    const classes = model.get("classes");
    if (value >= classes.length) { editor.say(`There is no label ${value}`); return; }
    editor.label = value;
    if (editor.tool === "eraser") choose("brush");
    for (const [i, button] of [...labels.children].entries()) {
      button.setAttribute("aria-checked", String(i === value));
      button.tabIndex = i === value ? 0 : -1;
    }
    labels.children[value]?.scrollIntoView({ block: "nearest" });
    editor.say(classes[value].name);
  }
  function nextLabel(by) {
    const count = model.get("classes").length;
    setLabel((editor.label + by + count) % count);
  }

  // ------------------------------------------------------------ what is shown
  const channel = element("select", { "aria-label": "Channel", title: "Channel", onchange: () => ask("channel", { index: channel.selectedIndex }) });
  const fills = element("button", { "aria-pressed": "true", title: "Fills or contours (C)", onclick: () => toggle("fills") }, "Fills");
  const opacity = element("input", { type: "range", min: "0.05", max: "1", step: "0.05", value: String(state.opacity), "aria-label": "Opacity of the fills", title: "Opacity of the fills", oninput: () => { state.opacity = Number(opacity.value); screen.paintMask(); } });
  const hidden = element("button", { "aria-pressed": "false", title: "Hide everything that is drawn (H)", onclick: () => toggle("hidden") }, "Hide");
  const display = element("div", { class: "sw-editor-display", role: "group", "aria-label": "What is shown" }, element("div", {}, fills, opacity, small("⟲", "Show all of the slice, with its own window and level (R)", () => reset())), element("div", {}, channel, hidden));
  const across = element("button", { "aria-pressed": "false", title: "The two other planes, through the cursor (O)", onclick: () => showPlanes() }, "3 planes");
  hidden.after(across);
  function toggle(name) {
    state[name] = !state[name];
    fills.setAttribute("aria-pressed", String(state.fills));
    fills.textContent = state.fills ? "Fills" : "Contours";
    hidden.setAttribute("aria-pressed", String(state.hidden));
    opacity.disabled = !state.fills;
    labels.classList.toggle("sw-editor-lined", !state.fills);
    screen.paintAll();
    surround();
  }
  function reset() {
    screen.fit();
    screen.level([...(state.opened ?? [0, 1])]);
    screen.paintAll();
  }

  // ------------------------------------------------------------ other slices
  const tiles = ["previous", "next"].map((key, i) => {
    const canvas = element("canvas");
    const caption = element("span", { class: "sw-editor-caption" });
    const button = element("button", { class: "sw-editor-tile", onclick: () => leaf(i ? 1 : -1) }, canvas);
    return { key, step: i ? 1 : -1, canvas, caption, button, cell: element("div", {}, button, caption), picture: null };
  });
  const neighbors = element("div", { class: "sw-editor-neighbors", role: "group", "aria-label": "Neighbors" }, ...tiles.map((tile) => tile.cell));
  const cuts = [0, 1].map(() => {
    const canvas = element("canvas");
    const caption = element("span", { class: "sw-editor-caption" });
    return { canvas, caption, cell: element("div", {}, canvas, caption), key: "", picture: null, plane: null };
  });
  const planes = element("div", { class: "sw-editor-planes", hidden: true, role: "group", "aria-label": "The two other planes" }, ...cuts.map((cut) => cut.cell));
  const crossing = sw.latest(model, "planes");
  let through3 = false; // whether the other planes are shown
  let pixel = null;
  const slider = element("input", { type: "range", min: "1", step: "1", "aria-label": "Slice of the case", title: "Slices of the case (Page Up, Page Down)", oninput: () => go(Number(slider.value) - 1) });
  const where = element("output", { class: "sw-number sw-soft" });
  const through = element("div", { class: "sw-editor-through" }, slider, where);
  const turns = sw.latest(model, "look");
  let info = {};
  let wanted = 0;
  let shownKey = "";

  function go(to) {
    if (!info.count) return;
    wanted = Math.min(Math.max(to, 0), info.count - 1);
    turns.send({ at: wanted });
    paintThrough();
  }
  const leaf = (by) => go(wanted + by);
  function paintThrough() {
    through.hidden = !info.count || info.count < 2;
    slider.max = String(info.count || 1);
    slider.value = String(wanted + 1);
    where.textContent = `slice ${wanted + 1} of ${info.count}`;
    slider.setAttribute("aria-valuetext", where.textContent);
  }
  const density = () => window.devicePixelRatio || 1;
  // Draw a picture over all of a canvas, pixel for pixel of the screen; null where it is not seen.
  function drawn(canvas, shown) {
    if (!canvas.clientWidth) return null;
    canvas.width = Math.round(canvas.clientWidth * density());
    canvas.height = Math.round(canvas.clientHeight * density());
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    shown.grey = screen.shaded(shown, shown.grey);
    context.drawImage(shown.grey.canvas, 0, 0, canvas.width, canvas.height);
    return context;
  }
  function paintTile({ picture: shown, canvas, key }) {
    const context = shown && drawn(canvas, shown);
    if (!context || state.hidden) return;
    const plain = info.beside?.[key] === "prediction" ? [4, 3] : [];
    for (const [value, points] of outlines(key)) sw.outline(context, points, { kx: canvas.width / shown.width, ky: canvas.height / shown.height, ratio: density(), color: state.colors[value], dash: state.dashes[value]?.length ? state.dashes[value] : plain });
  }
  let frame = 0;
  function surround() { // what is seen around the stage, once a frame
    frame ||= requestAnimationFrame(() => { frame = 0; tiles.forEach(paintTile); cuts.forEach(paintCut); });
  }
  state.onlevel = surround;
  // The other planes follow the cursor; the kernel cuts them from the case.
  function follow(at) {
    if (!through3 || !at || (pixel && at[0] === pixel[0] && at[1] === pixel[1])) return;
    pixel = [...at];
    crossing.send({ on: true, row: pixel[1], column: pixel[0] });
  }
  function showPlanes() {
    through3 = !through3;
    across.setAttribute("aria-pressed", String(through3));
    planes.hidden = !through3;
    const center = [state.map.width >> 1, state.map.height >> 1];
    if (through3) { const from = pixel ?? center; pixel = null; follow(from); }
    else crossing.send({ on: false });
  }
  async function loadPlanes() {
    const found = model.get("planes");
    const pictures = await Promise.all(found.map((plane) => sw.picture(plane.picture, plane.range)));
    if (found !== model.get("planes")) return;
    cuts.forEach((cut, i) => { cut.plane = found[i] ?? null; cut.picture = pictures[i] ?? null; paintCut(cut); });
  }
  function paintCut({ canvas, caption, picture: shown, plane }) {
    canvas.hidden = !shown;
    if (!shown) return;
    fitted(canvas, shown.width * plane.aspect / shown.height, 120);
    caption.textContent = `${plane.letters[0]} ${plane.name} ${plane.letters[1]}`;
    const context = drawn(canvas, shown);
    if (!context) return;
    const [y, x] = plane.cross.map((at, i) => Math.round((at + 0.5) * (i ? canvas.width / shown.width : canvas.height / shown.height)) + 0.5);
    context.strokeStyle = "rgba(86, 180, 233, 0.8)";
    context.beginPath();
    context.moveTo(0, y);
    context.lineTo(canvas.width, y);
    context.moveTo(x, 0);
    context.lineTo(x, canvas.height);
    context.stroke();
  }
  model.on("change:planes", loadPlanes);

  // As wide as its place, but not higher than so many pixels.
  function fitted(node, aspect, most) {
    node.style.aspectRatio = String(aspect);
    node.style.maxWidth = `${most * aspect}px`;
  }
  function paint(found, now) {
    info = now;
    const [row, column] = info.spacing ?? [1, 1];
    for (const tile of tiles) {
      tile.picture = found[tile.key] ?? null;
      tile.cell.style.visibility = tile.picture ? "visible" : "hidden";
      if (!tile.picture) continue;
      const of = info.beside?.[tile.key];
      tile.caption.textContent = `${tile.step > 0 ? "+1" : "−1"}${of ? ` · ${of}` : ""}`;
      tile.button.setAttribute("aria-label", `Look at the slice ${tile.step > 0 ? "after" : "before"} it`);
      tile.button.title = `${tile.button.getAttribute("aria-label")}${of ? `, shown with its ${of}` : ""}`;
      fitted(tile.button, tile.picture.width * column / (tile.picture.height * row), 150);
      paintTile(tile);
    }
    if (through3 && info.key !== shownKey) { const from = pixel; pixel = null; follow(from); }
    shownKey = info.key;
    if (turns.idle) wanted = info.at ?? 0;
    paintThrough();
    const channels = info.channels ?? [];
    if ([...channel.options].map((option) => option.textContent).join("\n") !== channels.join("\n")) channel.replaceChildren(...channels.map((text) => element("option", {}, text)));
    channel.selectedIndex = model.get("channel");
    channel.hidden = channels.length < 2;
    const open = info.open && !info.looking;
    back.disabled = !open || !info.can_undo;
    forth.disabled = !open || !info.can_redo;
    for (const button of buttons) button.disabled = !open;
    paintTools();
  }

  // ------------------------------------------------------------ keys, for a person
  const KEYS = [["B E P F", "brush, eraser, polygon, fill"], ["I X G", "smart fill, superpixels, scribbles (G again: let them grow)"], ["1 … 9, 0", "label; 0 is background"], [", .", "label before, after"], ["[ ]", "smaller, larger brush"],
    ["arrow keys", "move the cursor; Shift: by 8 pixels"], ["space, Enter", "put the brush down, lift it; a corner; fill"], ["Enter twice", "close the polygon; Backspace takes a corner back"], ["Esc", "drop what is being drawn; back to the edited slice"],
    ["Z, Shift+Z", "undo, redo; also Ctrl+Z, Ctrl+Y"], ["D U S", "done, unsure, skip because …"], ["V, Shift+V, M", "copy the annotated slice before, after; interpolate between them"], ["N, Shift+N", "next, previous of the queue"], ["Page Up, Page Down", "other slices of the case"],
    ["C H O", "fills or contours; hide what is drawn; the other planes"], ["wheel, + −", "zoom"], ["middle or space and drag", "move the picture; on a touch screen two fingers"], ["right drag, Alt+arrows", "window and level"], ["R", "show all of the slice, with its own window and level"]];
  const help = element("dialog", { class: "sw-editor-help", "aria-label": "Keys" });
  help.append(element("h3", {}, "Keys"), element("dl", {}, ...KEYS.flatMap(([key, text]) => [element("dt", {}, key), element("dd", {}, text)])), element("button", { onclick: () => help.close() }, "Close"));
  help.addEventListener("click", (event) => { if (event.target === help) help.close(); });

  paintLabels();
  return { tools, through, neighbors, planes, labels, display, help, picture, outlines, paint, paintTools, paintLabels, resize, setLabel, nextLabel, toggle, reset, leaf, follow, showPlanes, stop() { cancelAnimationFrame(frame); turns.stop(); crossing.stop(); model.off("change:planes", loadPlanes); } };
}
