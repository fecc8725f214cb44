// The sliders. A move is sent as it happens, a rest once more; see sw.latest.
function render({ model, el }) {
  const { element } = sw;
  const noun = model.get("noun");
  const REST = 250; // milliseconds after the last key
  const HELP = {
    alpha: `How far each labeled ${noun} is moved along its loss gradient. Logarithmic; double-click calibrates.`,
    u: `u: the median distance of a ${noun} to its nearest neighbor in latent space`,
    angle: "Half-angle of the cone around z′ − z in which suggestions are looked for; 180° is no condition. Double-click: 60°.",
    scale: "raw: the gradient as it is (the papers) · L2: scaled to length 1 · sign: only its signs",
    manifold: `Dimensions of the data manifold: the latent space of the VAE in which ${noun}s are compared`,
    budget: `How many ${noun}s a round asks for`,
    outside: `No unlabeled ${noun} lay in the cone: the one of smallest angle was taken`,
    relative: "Length of the step over the length of the image: here the median over all sources, in the inspector that of one. Above 0.5, x′ looks like noise",
    cases: "Different cases among the suggestions",
    changed: "Suggestions that were not there before this move",
  };
  const undo = [];
  const wishes = sw.latest(model, "tune");
  undo.push(() => wishes.stop());
  let resting = 0;
  let held = null; // the slider that a person is moving
  let byKey = false;
  let counted = false; // there has been a step to show

  // ------------------------------------------------------------ controls
  // A tip that would leave the panel at its right is moved to the left.
  const helped = (text, help, kind = "span") => element(kind, { class: "sw-help", "data-help": help, onpointerenter: ({ target }) => {
    const room = root.getBoundingClientRect().right - target.getBoundingClientRect().left - 308;
    target.style.setProperty("--sw-shift", `${Math.min(0, room)}px`);
  } }, text);
  const alpha = slider("step α", -2, 3, 0.05, HELP.alpha);
  const alphaText = element("input", { type: "text", class: "sw-tune-value sw-number", "aria-label": "Median displacement in u; or type α = 36", title: `Median displacement of the sources. ${HELP.u}. Type another, or α = 36`, inputmode: "decimal" });
  const alphaRaw = element("span", { class: "sw-tune-raw sw-soft sw-number" });
  const angle = slider("cone half-angle θ", 0, 180, 1, HELP.angle);
  const angleText = element("input", { type: "text", class: "sw-tune-value sw-tune-short sw-number", "aria-label": "Half-angle in degrees", title: "Type 0 to 180 degrees; 180 is off", inputmode: "decimal" });
  const scale = element("select", { "aria-label": "Gradient scale", "aria-description": HELP.scale, onchange: () => settle({ scale: scale.value, alpha: null }) },
    ...[["raw", "raw"], ["l2", "L2"], ["sign", "sign"]].map(([value, text]) => element("option", { value }, text)));
  const dims = element("select", { "aria-label": "Dimensions of the manifold", "aria-description": HELP.manifold, onchange: () => {
    model.send({ do: "set_z", d: Number(dims.value) });
    setTimeout(showDims, 400); // the session decides what is shown
  } });
  const budget = element("input", { type: "number", min: "1", step: "1", class: "sw-tune-budget sw-number", "aria-label": "Number of suggestions", onchange: sendBudget });
  const calibrate = element("button", { type: "button", title: "Choose α so that the median displacement is 2 u", onclick: () => model.send({ do: "calibrate" }) }, "calibrate");
  const paper = element("button", { type: "button", title: "The papers' setting as printed: α = 0.001 on the raw gradient (Dai 2022)", onclick: () => model.send({ do: "as_printed" }) }, "⟲ paper");
  const line = element("div", { class: "sw-tune-line", role: "status" });
  const group = (label, ...parts) => element("div", { class: "sw-tune-group" }, label, ...parts);
  const controls = element("div", { class: "sw-tune-controls" },
    group(helped("step α", HELP.alpha), alpha, alphaText, alphaRaw),
    group(helped("cone θ", HELP.angle), angle, angleText),
    group(helped("gradient", HELP.scale), scale),
    group(helped("z-dim", HELP.manifold), dims),
    group(helped("suggest", HELP.budget), budget),
    group(null, calibrate, paper));
  const root = sw.shield(element("section", { class: "sw sw-tune", "aria-label": "Tuning" }, controls, line));
  el.append(root);

  function slider(label, min, max, step, help) {
    const input = element("input", { type: "range", min, max, step, "aria-label": label, "aria-description": help });
    input.addEventListener("keydown", () => { byKey = true; });
    input.addEventListener("pointerdown", () => { byKey = false; });
    input.addEventListener("input", () => move(input));
    input.addEventListener("change", () => {
      clearTimeout(resting);
      if (byKey) resting = setTimeout(rest, REST);
      else rest();
    });
    input.addEventListener("blur", () => { if (held === input) rest(); });
    return input;
  }

  const round = (value) => Number(value.toPrecision(4));
  const fields = (input) => (input === alpha ? { alpha: round(10 ** Number(alpha.value)) } : { max_angle: Number(angle.value) });

  function move(input) {
    held = input;
    clearTimeout(resting);
    if (byKey) resting = setTimeout(rest, REST);
    wishes.send({ settled: false, ...fields(input) });
    fill(alpha);
    fill(angle);
    label();
  }

  function rest() {
    clearTimeout(resting);
    if (!held) return;
    wishes.send({ settled: true, ...fields(held) });
    held = null;
  }

  function settle(wish) {
    clearTimeout(resting);
    held = null;
    wishes.send({ settled: true, ...wish });
  }

  alpha.addEventListener("dblclick", () => settle({ alpha: null, displacement: 2 }));
  angle.addEventListener("dblclick", () => settle({ max_angle: 60 }));
  typed(alphaText, (text) => {
    const raw = text.match(/^\s*(?:α|a|alpha)\s*[=:]?\s*([\d.eE+-]+)\s*$/i);
    const u = text.match(/^\s*([\d.eE+-]+)\s*u?\s*$/i);
    const value = Number((raw ?? u)?.[1]);
    if (!(value > 0 && Number.isFinite(value))) return false;
    settle(raw ? { alpha: value } : { alpha: null, displacement: value });
    return true;
  });
  typed(angleText, (text) => {
    const value = Number(text.replace("°", "").replace("off", "180"));
    if (!text.trim() || !(value >= 0 && value <= 180)) return false;
    settle({ max_angle: value });
    return true;
  });

  // A value that is typed: Enter takes it, Escape leaves it, nonsense is refused.
  function typed(input, take) {
    const leave = () => { input.classList.remove("sw-tune-wrong"); showSettings(); };
    input.addEventListener("focus", () => input.select());
    input.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { input.value = ""; input.blur(); }
      if (event.key === "Enter") {
        if (take(input.value)) { input.dataset.taken = input.value; input.blur(); } else input.classList.add("sw-tune-wrong");
      }
    });
    input.addEventListener("blur", () => {
      if (input.value && input.value !== input.dataset.taken && input.value !== input.dataset.shown) take(input.value);
      delete input.dataset.taken;
      leave();
    });
  }

  function sendBudget() {
    const most = model.get("settings").free || 1;
    const wish = Math.round(Number(budget.value));
    const n = Math.min(most, Math.max(1, Number.isFinite(wish) ? wish : 1));
    budget.value = String(n);
    model.send({ do: "set_budget", n });
  }

  // ------------------------------------------------------------ what Python sends
  function fill(input) {
    const part = (Number(input.value) - Number(input.min)) / (Number(input.max) - Number(input.min));
    input.style.setProperty("--sw-part", `${(100 * part).toFixed(1)}%`);
  }

  function show(input, text) {
    if (document.activeElement === input) return;
    input.value = text;
    input.dataset.shown = text;
  }

  function showSettings() {
    const s = model.get("settings");
    for (const each of [alpha, alphaText, angle, angleText, scale, calibrate, paper]) each.disabled = !s.guided;
    budget.disabled = !s.free;
    budget.max = String(s.free);
    if (document.activeElement !== budget) budget.value = String(s.budget);
    scale.value = s.scale;
    if (!held && wishes.idle) {
      [alpha.min, alpha.max] = s.decades.map(String);
      if (s.alpha) alpha.value = String(Math.log10(s.alpha)); // not known: it stays where it is
      else if (!counted) alpha.value = String((s.decades[0] + s.decades[1]) / 2);
      angle.value = String(s.max_angle);
    }
    const printed = s.scale === "raw" && Math.abs(s.alpha - 1e-3) < 1e-9;
    paper.setAttribute("aria-pressed", String(Boolean(printed)));
    fill(alpha);
    fill(angle);
    label();
  }

  function label() {
    const s = model.get("settings");
    const c = model.get("counts");
    const raw = held === alpha ? 10 ** Number(alpha.value) : s.alpha;
    const shownAngle = held === angle ? Number(angle.value) : s.max_angle;
    show(alphaText, c.displacement === undefined || c.displacement === null ? "–" : `${sw.number(c.displacement)} u`);
    alphaRaw.textContent = raw ? `α = ${sw.number(raw)}` : "";
    alpha.title = raw ? `α = ${sw.number(raw, 3)}` : "";
    alpha.setAttribute("aria-valuetext", `${alphaText.value}, ${alphaRaw.textContent}`);
    show(angleText, shownAngle >= 180 ? "off" : `${Math.round(shownAngle * 10) / 10}°`);
    angle.setAttribute("aria-valuetext", shownAngle >= 180 ? "off" : `${shownAngle} degrees`);
  }

  function showCounts() {
    const c = model.get("counts");
    const s = model.get("settings");
    const message = model.get("message");
    line.classList.toggle("sw-tune-problem", Boolean(message));
    label();
    if (message || s.why || c.picks === undefined) {
      line.replaceChildren(message || s.why || "");
      return;
    }
    counted = true;
    const parts = [
      helped(`${sw.count(c.changed, "pick", "picks")} changed`, HELP.changed),
      helped(c.outside === 1 ? "1 outside its cone" : `${c.outside.toLocaleString("en-US")} outside their cone`, HELP.outside),
      helped(sw.count(c.cases, "case", "cases"), HELP.cases),
    ];
    if (c.changed) parts[0].classList.add("sw-tune-changed");
    if (c.outside) parts[1].classList.add("sw-tune-outside");
    if (c.relative !== null) parts.push(helped(`|αĝ|/|x| = ${sw.number(c.relative)}, median of ${sw.count(c.sources, "source", "sources")}`, HELP.relative));
    if (c.displacement !== null && c.displacement < 0.01) parts.push(helped(`moves z by ${sw.number(c.displacement, 1)} u: direction only`, HELP.u));
    const spaced = parts.flatMap((part, i) => (i ? [element("span", { class: "sw-tune-dot", "aria-hidden": "true" }, "·"), part] : [part]));
    line.replaceChildren(...spaced);
  }

  function showDims() {
    const offered = model.get("dims");
    dims.disabled = !model.get("settings").opened;
    dims.replaceChildren(...offered.map((each) => element("option", { value: each.d, selected: each.chosen },
      each.trained ? `${each.d} ✓` : each.cost && !each.chosen ? `${each.d} · ${each.cost}` : String(each.d))));
    dims.title = "✓ is trained and switches at once";
  }

  const watched = { "change:settings": () => { showSettings(); showCounts(); dims.disabled = !model.get("settings").opened; }, "change:counts": showCounts, "change:message": showCounts, "change:dims": showDims, "msg:custom": () => { if (wishes.idle && !held) showSettings(); } };
  for (const [name, handler] of Object.entries(watched)) {
    model.on(name, handler);
    undo.push(() => model.off(name, handler));
  }
  showDims();
  showSettings();
  showCounts();
  return () => { clearTimeout(resting); for (const each of undo) each(); root.remove(); };
}

export default { render };
