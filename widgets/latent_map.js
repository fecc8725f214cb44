// The live map: two canvases, a mouse, fingers, a keyboard. Painting is in latent_map_paint.js,
// legend and lists are in latent_map_parts.js, what part is shown in latent_map_view.js.
function render({ model, el }) {
  const { element, array } = sw;
  const noun = model.get("noun");
  const undo = [];
  const on = (names, handler) => {
    for (const name of names) {
      model.on(name, handler);
      undo.push(() => model.off(name, handler));
    }
  };

  // ------------------------------------------------------------ the page
  const lower = element("canvas", { class: "sw-map-points", "aria-hidden": "true" });
  const upper = element("canvas", {
    class: "sw-map-overlay", tabindex: "0", role: "application",
    "aria-roledescription": "latent map",
  });
  const tip = element("div", { class: "sw-map-tip", hidden: true });
  const note = element("div", { class: "sw-map-note", hidden: true });
  const rest = element("div", { class: "sw-map-rest", hidden: true, title: "Zoom out (−) to see them" });
  const bar = element("div", { class: "sw-map-bar", hidden: true });
  const listing = element("div", { class: "sw-map-listing", hidden: true });
  const empty = element("div", { class: "sw-map-empty", hidden: true });
  const stage = element("div", { class: "sw-map-stage" }, lower, upper, bar, note, rest, listing, tip, empty);
  const tabs = element("div", { class: "sw-map-tabs", role: "tablist", "aria-label": "Map" });
  const pair = element("span", { class: "sw-map-pair", hidden: true });
  const colors = element("select", { "aria-label": "Color points by", onchange: () => {
    model.set("color_by", colors.value);
    model.save_changes();
  } });
  const mark = element("span", { class: "sw-map-mark" });
  const head = element("div", { class: "sw-map-head" }, tabs, pair, element("span", { class: "sw-map-gap" }), mark,
    element("label", { class: "sw-map-color" }, element("span", { class: "sw-soft" }, "color"), colors));
  const lassoButton = tool("Lasso", "Draw around points to list them (L, or drag with Shift)", () => setLasso(!lassoing));
  const legend = element("div", { class: "sw-map-legend", "aria-label": "Legend", role: "img" });
  const foot = element("div", { class: "sw-map-foot" },
    element("span", { class: "sw-map-tools", role: "toolbar", "aria-label": "Map tools" }, lassoButton,
      tool("+", "Zoom in (+)", () => zoom(1.4)), tool("−", "Zoom out (−)", () => zoom(1 / 1.4)),
      tool("Reset", `Show sources, z′, suggestions and nearly all ${noun}s (0)`, () => { fit(); paintAll(); })), legend);
  const spoken = element("div", { class: "sw-hidden", "aria-live": "polite" });
  const root = sw.shield(element("section", { class: "sw sw-map", "aria-label": "Latent map" }, head, stage, foot, spoken));
  el.append(root);

  function tool(text, title, action) {
    return element("button", { type: "button", title, "aria-label": title, onclick: action }, text);
  }

  // ------------------------------------------------------------ state
  let theme = {};
  let xy = new Float32Array(0);
  let kinds = new Uint16Array(0);
  let frame = {};
  let overlay = { sources: [], tips: [], reach: [], picks: [], pickSources: [], flags: [], inside: [] };
  let size = [0, 0];
  let center = [0, 0];
  let pixelsPerUnit = 1;
  let fitted = 1;
  let extent = null; // of the points
  let untouched = true; // nobody has moved the view: it may follow what is shown
  let radius = 2;
  let lassoing = false;
  let lasso = [];
  let focused = -1; // position among the picks
  let hovered = -1;
  const wanted = { points: false, overlay: false };
  let asked = 0;

  const at = (x, y) => [size[0] / 2 + (x - center[0]) * pixelsPerUnit, size[1] / 2 - (y - center[1]) * pixelsPerUnit];
  const from = (px, py) => [center[0] + (px - size[0] / 2) / pixelsPerUnit, center[1] - (py - size[1] / 2) / pixelsPerUnit];

  function frameOfInterest() {
    const rows = [...overlay.sources, ...overlay.picks];
    return views.wanted(extent, xy, rows, model.get("overlay").fixed ? [] : overlay.tips);
  }

  const noted = () => frame.method === "pixels"; // a sentence stands at the top

  function fit() {
    if (!extent || !size[0]) return;
    ({ center, scale: pixelsPerUnit } = views.fit(frameOfInterest(), size, noted()));
    fitted = pixelsPerUnit;
    untouched = true;
  }

  // A view that nobody has moved follows new sources, z' and picks: not while a slider
  // moves, and not for trifles.
  function follow() {
    if (!untouched || !extent || !size[0] || !model.get("overlay").exact) return false;
    const box = frameOfInterest();
    const [left, top] = at(box[0], box[3]);
    const [right, bottom] = at(box[1], box[2]);
    const inside = left > 8 && top > 8 && right < size[0] - 8 && bottom < size[1] - 8;
    if (inside && views.fit(box, size, noted()).scale < 1.3 * pixelsPerUnit) return false;
    fit();
    return true;
  }

  // How far one can zoom out: until every point is shown, and half as far again.
  const lowest = () => Math.min(fitted, extent ? views.fit(extent.all, size).scale : fitted);

  function zoom(factor, px = size[0] / 2, py = size[1] / 2) {
    const before = from(px, py);
    pixelsPerUnit = Math.min(fitted * 400, Math.max(lowest() * 0.5, pixelsPerUnit * factor));
    untouched = false;
    const after = from(px, py);
    center = [center[0] + before[0] - after[0], center[1] + before[1] - after[1]];
    paintAll();
  }

  // ------------------------------------------------------------ painting
  function paintAll() {
    wanted.points = true;
    paintOverlay();
  }

  function paintOverlay() {
    wanted.overlay = true;
    if (!asked) asked = requestAnimationFrame(paintNow);
  }

  function paintNow() {
    asked = 0;
    const ratio = devicePixelRatio || 1;
    const drewPoints = wanted.points;
    if (drewPoints) {
      const context = lower.getContext("2d", { alpha: false });
      context.setTransform(1, 0, 0, 1, 0, 0);
      const grown = Math.sqrt(Math.max(1, pixelsPerUnit / fitted));
      const spread = 0.16 * Math.sqrt((size[0] * size[1]) / Math.max(1, kinds.length));
      radius = Math.min(4.5, Math.max(1.1, Math.min(3.2, spread) * Math.min(1.8, grown)));
      const [ox, oy] = at(0, 0);
      const view = { ax: ox * ratio, ay: oy * ratio, sx: pixelsPerUnit * ratio, sy: -pixelsPerUnit * ratio };
      const looks = paint.looks(model.get("scale"), theme, radius * ratio, kinds.length);
      paint.points(context, theme.background, xy, kinds, looks, view);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      if (frame.axes) axes.draw(context, frame, { at, from, pixelsPerUnit }, size[0], size[1], theme);
      countRest();
    }
    const context = upper.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const state = model.get("overlay");
    const away = paint.overlay(context, {
      ...overlay, xy, at, radius, lasso, width: size[0], height: size[1], pixelsPerUnit,
      current: model.get("current"), focused: focused >= 0 ? overlay.picks[focused] : -1,
      colored: model.get("scale").kind !== "state", fixed: state.fixed, wedge: state.wedge, halfAngle: state.half_angle,
    }, theme);
    wanted.points = false;
    wanted.overlay = false;
    say(state, away);
    upper.dataset.picks = Array.from(overlay.picks).join(" ");
    if (drewPoints) root.dataset.scale = pixelsPerUnit.toPrecision(6);
    root.dataset.ready = "yes";
    root.dispatchEvent(new CustomEvent("sw-drawn", { bubbles: true, detail: { points: drewPoints, exact: state.exact } }));
  }

  // Points that the fitted view leaves out are told, so that nobody thinks these are all.
  function countRest() {
    let n = 0;
    if (untouched) {
      const [left, bottom] = from(0, size[1]);
      const [right, top] = from(size[0], 0);
      for (let i = 0; i < xy.length; i += 2) n += xy[i] < left || xy[i] > right || xy[i + 1] < bottom || xy[i + 1] > top;
    }
    rest.hidden = !n;
    if (n) rest.textContent = `${sw.count(n, noun, `${noun}s`)} outside this view`;
  }

  function say(state, away) {
    const moving = overlay.sources.length > 0;
    const words = !moving ? "" : state.exact ? "exact" : "interpolated";
    if (mark.textContent !== words) {
      mark.textContent = words;
      mark.dataset.state = words;
      mark.title = state.exact ? "z′ is encoded from the shifted images" : "z′ is interpolated while the slider moves";
    }
    let sentence = "";
    if (moving && state.fixed) sentence = `moves z by ${sw.number(state.displacement, 1)} u: direction only`;
    else if (away) sentence = `${sw.count(away, "z′ lies", "z′ lie")} outside the picture`;
    else if (frame.method === "pixels") sentence = "PCA of the pixels, a first look: the trained manifold brings latent axes.";
    if (note.textContent !== sentence) note.textContent = sentence;
    note.hidden = !sentence;
  }

  // ------------------------------------------------------------ what Python sends
  function takePoints() {
    const [before, was] = [frame.map, String(extent?.all)];
    xy = array(Float32Array, model.get("xy"));
    frame = model.get("frame");
    extent = views.extent(xy);
    if (before !== frame.map || was !== String(extent?.all)) fit();
    forget();
    takeColors();
    name();
  }

  function takeColors() {
    const scale = model.get("scale");
    const states = array(Uint8Array, model.get("states"));
    kinds = paint.classes(states, array(Float32Array, model.get("shades")), scale);
    const names = model.get("color_names");
    colors.replaceChildren(...names.map((each) => element("option", { value: each }, each)));
    colors.value = model.get("color_by");
    parts.bar(bar, scale, kinds, theme);
    showLegend();
    paintAll();
  }

  function takeOverlay() {
    overlay = {
      sources: array(Int32Array, model.get("sources")), tips: array(Float32Array, model.get("tips")),
      reach: array(Float32Array, model.get("reach")), picks: array(Int32Array, model.get("picks")),
      pickSources: array(Int32Array, model.get("pick_sources")), flags: array(Uint8Array, model.get("flags")),
      inside: array(Uint8Array, model.get("inside")),
    };
    if (focused >= overlay.picks.length) focused = -1;
    showLegend();
    name();
    if (follow()) paintAll();
    else paintOverlay();
  }

  function name() {
    const picks = overlay.picks.length;
    upper.setAttribute("aria-label", frame.map
      ? `Map ${frame.map}: ${sw.count(kinds.length, noun, `${noun}s`)}, ${sw.count(picks, "suggestion", "suggestions")}. Arrow keys move among suggestions, Enter inspects, plus and minus zoom.`
      : "Latent map, empty");
  }

  function showTabs() {
    parts.tabs(tabs, model.get("tabs"), (wish) => model.send(wish));
    parts.pair(pair, frame, (name) => model.send({ do: "show_map", name }));
  }

  function showLegend() {
    parts.legend(legend, {
      noun,
      scale: model.get("scale"), state: model.get("overlay"), overlay, theme,
      inspected: model.get("current") >= 0 && kinds.length > 0,
    });
  }

  function showEmpty() {
    const state = model.get("empty");
    empty.hidden = !state.shown;
    for (const part of [head, foot]) part.classList.toggle("sw-map-off", Boolean(state.shown));
    if (state.shown) parts.empty(empty, state, theme, noun, () => model.send({ do: "next" }));
  }

  function showListing() {
    parts.listing(listing, model.get("listing"), noun, inspect, clearLasso);
  }

  // ------------------------------------------------------------ the lasso
  function setLasso(value) {
    lassoing = value;
    lassoButton.setAttribute("aria-pressed", String(value));
    upper.classList.toggle("sw-map-drawing", value);
  }

  function clearLasso() {
    lasso = [];
    listing.hidden = true;
    paintOverlay();
    upper.focus({ preventScroll: true });
  }

  function closeLasso() {
    const rows = parts.within(lasso, kinds.length, (i) => at(xy[2 * i], xy[2 * i + 1]));
    setLasso(false);
    model.send({ do: "select" }, undefined, [Int32Array.from(rows).buffer]);
  }

  // ------------------------------------------------------------ one point
  const known = new Map();
  let pending = 0;
  function forget() {
    for (const fact of known.values()) if (fact.url) URL.revokeObjectURL(fact.url);
    known.clear();
  }

  // The row under the mouse: suggestions first, then sources, then any point.
  function find(px, py) {
    let best = -1;
    let near = 12 * 12;
    const test = (row, bonus) => {
      const [x, y] = at(xy[2 * row], xy[2 * row + 1]);
      const far = (x - px) ** 2 + (y - py) ** 2 - bonus;
      if (far < near) { near = far; best = row; }
    };
    for (let i = 0; i < kinds.length; i += 1) test(i, 0);
    overlay.sources.forEach((row) => test(row, 36));
    overlay.picks.forEach((row) => test(row, 64));
    return best;
  }

  function role(row) {
    const rank = overlay.picks.indexOf(row);
    if (rank >= 0) return `suggestion ${rank + 1} of ${overlay.picks.length}${overlay.flags[rank] ? ", outside its cone" : ""}`;
    return overlay.sources.includes(row) ? "source z" : "";
  }

  function describe(row, x, y) {
    hovered = row;
    clearTimeout(pending);
    if (row < 0) { tip.hidden = true; return; }
    const fact = known.get(row);
    if (fact) showTip(row, fact, x, y);
    else {
      tip.hidden = true;
      tip.dataset.x = x;
      tip.dataset.y = y;
      pending = setTimeout(() => model.send({ do: "describe", row }), 50);
    }
  }

  function showTip(row, fact, x, y) {
    parts.tip(tip, fact, role(row), [x, y], size);
  }

  function answered(message, buffers) {
    if (!message || message.about === undefined) return;
    const url = buffers?.length ? URL.createObjectURL(new Blob([buffers[0]], { type: "image/png" })) : null;
    if (known.size > 500) forget();
    known.set(message.about, { lines: message.lines, ratio: message.ratio ?? 1, url });
    if (message.about === hovered) showTip(hovered, known.get(hovered), Number(tip.dataset.x), Number(tip.dataset.y));
    if (focused >= 0 && message.about === overlay.picks[focused]) spoken.textContent = `${role(message.about)}: ${message.lines.join(", ")}`;
  }

  function inspect(row) {
    model.send({ do: "inspect", row });
  }

  // ------------------------------------------------------------ mouse
  let drag = null;
  let pinch = null;
  const fingers = new Map(); // pointer → place of a finger on the map
  const spot = (event) => {
    const box = upper.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  function startPinch() {
    const [a, b] = [...fingers.values()];
    drag = null;
    lasso = [];
    pinch = { held: from((a[0] + b[0]) / 2, (a[1] + b[1]) / 2), apart: Math.max(Math.hypot(a[0] - b[0], a[1] - b[1]), 1), scale: pixelsPerUnit };
  }

  function lift(event) {
    fingers.delete(event.pointerId);
    if (!pinch) return false;
    const left = [...fingers.values()];
    pinch = null;
    if (left.length > 1) startPinch();
    else if (left.length) drag = { from: left[0], center, moved: true, lasso: false }; // it goes on as a pan
    return true;
  }

  upper.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    upper.setPointerCapture(event.pointerId);
    upper.focus({ preventScroll: true });
    describe(-1);
    if (event.pointerType === "touch") {
      fingers.set(event.pointerId, spot(event));
      if (fingers.size > 1) { startPinch(); return; }
    }
    drag = { from: spot(event), center, moved: false, lasso: lassoing || event.shiftKey };
    if (drag.lasso) lasso = [drag.from];
  });
  upper.addEventListener("pointermove", (event) => {
    const [x, y] = spot(event);
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, [x, y]);
    if (pinch) {
      ({ center, scale: pixelsPerUnit } = views.pinch(pinch, [...fingers.values()], size, lowest() * 0.5, fitted * 400));
      untouched = false;
      paintAll();
      return;
    }
    if (!drag) { describe(find(x, y), x, y); return; }
    const [dx, dy] = [x - drag.from[0], y - drag.from[1]];
    if (Math.hypot(dx, dy) > (event.pointerType === "touch" ? 8 : 3)) drag.moved = true; // a finger trembles
    if (!drag.moved) return;
    if (drag.lasso) { lasso.push([x, y]); paintOverlay(); return; }
    center = [drag.center[0] - dx / pixelsPerUnit, drag.center[1] + dy / pixelsPerUnit];
    untouched = false;
    upper.classList.add("sw-map-dragging");
    if (lasso.length) lasso = [];
    paintAll();
  });
  upper.addEventListener("pointerup", (event) => {
    if (lift(event) || !drag) return;
    const { moved, lasso: drawn } = drag;
    drag = null;
    upper.classList.remove("sw-map-dragging");
    if (moved && drawn) closeLasso();
    else if (!moved && !drawn) {
      const row = find(...spot(event));
      if (row >= 0) { focused = overlay.picks.indexOf(row); inspect(row); }
    }
  });
  upper.addEventListener("pointercancel", (event) => {
    lift(event);
    drag = null;
    upper.classList.remove("sw-map-dragging");
  });
  upper.addEventListener("pointerleave", () => { if (!drag) describe(-1); });
  upper.addEventListener("wheel", (event) => {
    if (event.deltaY > 0 && pixelsPerUnit <= lowest()) return; // all is shown: let the page scroll
    event.preventDefault();
    lasso = [];
    zoom(Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) * 0.004), ...spot(event));
  }, { passive: false });

  // ------------------------------------------------------------ keyboard
  upper.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (step && event.shiftKey) {
      const by = 60 / pixelsPerUnit;
      const across = event.key === "ArrowRight" || event.key === "ArrowLeft";
      center = [center[0] + (across ? step * by : 0), center[1] - (across ? 0 : step * by)];
      untouched = false;
      paintAll();
    } else if (step && overlay.picks.length) {
      const k = overlay.picks.length;
      focused = focused < 0 ? (step > 0 ? 0 : k - 1) : (focused + step + k) % k;
      focusPick();
    } else if (event.key === "Home" && overlay.picks.length) { focused = 0; focusPick(); }
    else if (event.key === "End" && overlay.picks.length) { focused = overlay.picks.length - 1; focusPick(); }
    else if ((event.key === "Enter" || event.key === " ") && focused >= 0) inspect(overlay.picks[focused]);
    else if (event.key === "+" || event.key === "=") zoom(1.4);
    else if (event.key === "-" || event.key === "_") zoom(1 / 1.4);
    else if (event.key === "0") { fit(); paintAll(); }
    else if (event.key === "l" || event.key === "L") setLasso(!lassoing);
    else if (event.key === "Escape") { focused = -1; describe(-1); setLasso(false); lasso = []; listing.hidden = true; paintOverlay(); }
    else return;
    event.preventDefault();
  });
  upper.addEventListener("blur", () => { if (focused >= 0) { focused = -1; describe(-1); paintOverlay(); } });
  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const all = [...tabs.children];
    const here = all.indexOf(document.activeElement);
    if (!step || here < 0) return;
    event.preventDefault();
    all[(here + step + all.length) % all.length].focus();
  });

  function focusPick() {
    const row = overlay.picks[focused];
    let [x, y] = at(xy[2 * row], xy[2 * row + 1]);
    if (x < 20 || y < 20 || x > size[0] - 20 || y > size[1] - 20) {
      center = [xy[2 * row], xy[2 * row + 1]];
      untouched = false;
      [x, y] = [size[0] / 2, size[1] / 2];
      paintAll();
    }
    spoken.textContent = role(row);
    describe(row, x, y);
    paintOverlay();
  }

  // ------------------------------------------------------------ size and theme
  function resize() {
    const [w, h] = [stage.clientWidth, stage.clientHeight];
    if (!w || !h || (w === size[0] && h === size[1])) return;
    size = [w, h];
    const ratio = devicePixelRatio || 1;
    for (const canvas of [lower, upper]) {
      canvas.width = Math.round(w * ratio);
      canvas.height = Math.round(h * ratio);
    }
    if (untouched) fit();
    if (asked) cancelAnimationFrame(asked);
    wanted.points = true;
    paintNow(); // at once: a resized canvas is blank
  }

  function retheme() {
    theme = sw.theme(root);
    theme.vermilion = theme.dark ? "#ff7a26" : sw.PALETTE.vermilion;
    legend.dataset.key = "";
    takeColors();
    takeOverlay();
    showEmpty();
  }

  theme = sw.theme(root);
  theme.vermilion = sw.PALETTE.vermilion;
  on(["change:xy", "change:frame"], once(takePoints));
  on(["change:states", "change:shades", "change:scale", "change:color_names"], once(() => { forget(); takeColors(); }));
  on(["sources", "tips", "reach", "picks", "pick_sources", "flags", "inside", "overlay"].map((each) => `change:${each}`), once(takeOverlay));
  on(["change:current"], () => { showLegend(); paintOverlay(); });
  on(["change:tabs", "change:frame"], showTabs);
  on(["change:empty"], showEmpty);
  on(["change:listing"], showListing);
  on(["msg:custom"], answered);

  // Several traits of one message: do the work once, before the next picture.
  function once(work) {
    let due = false;
    return () => {
      if (due) return;
      due = true;
      queueMicrotask(() => { due = false; work(); });
    };
  }

  const observer = new ResizeObserver(resize);
  observer.observe(stage);
  undo.push(() => observer.disconnect(), sw.onTheme(retheme), () => cancelAnimationFrame(asked), () => clearTimeout(pending), forget);
  takePoints();
  retheme();
  showTabs();
  showListing();
  resize();
  name();
  return () => { for (const each of undo) each(); root.remove(); };
}

export default { render };
