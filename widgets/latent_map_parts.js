// What stands around the map as elements of the page: legend, color bar, tips,
// lists, and what is said while there is no map. All text is untrusted.
const parts = (() => {
  const { element, svg } = sw;
  const icon = (...shapes) => svg("svg", { width: 18, height: 16, viewBox: "-9 -8 18 16", "aria-hidden": "true" }, ...shapes);
  const STAR = Array.from({ length: 10 }, (_, i) => {
    const angle = (i * Math.PI) / 5 - Math.PI / 2;
    const r = i % 2 ? 2.9 : 7;
    return `${(r * Math.cos(angle)).toFixed(2)},${(r * Math.sin(angle)).toFixed(2)}`;
  }).join(" ");
  const help = (noun) => ({
    unlabeled: "May be suggested",
    labeled: "Has a label: the model learns from it",
    "source z": `A labeled ${noun} whose loss gradient is followed`,
    "z′": `Where the ${noun} lies after a step along its loss gradient`,
    suggestion: `The nearest unlabeled ${noun} inside a cone`,
    "outside its cone": `No unlabeled ${noun} lay in the cone: the one of smallest angle was taken`,
    "inside a cone": "Points of the d-dimensional cones, as near z′ as their picks",
    cone: "Apex z′, axis z′ − z, half-angle θ",
    inspected: `The ${noun} that the inspector shows`,
  });
  const CASE_ICONS = {
    disc: () => svg("circle", { r: 4.5 }),
    square: () => svg("rect", { x: -4, y: -4, width: 8, height: 8 }),
    diamond: () => svg("path", { d: "M0-5.5L5.5 0L0 5.5L-5.5 0Z" }),
    up: () => svg("path", { d: "M0-5L5 4.5H-5Z" }),
    down: () => svg("path", { d: "M0 5L5-4.5H-5Z" }),
    plus: () => svg("path", { d: "M-1.6-5h3.2v3.4H5v3.2H1.6V5h-3.2V1.6H-5v-3.2h3.4Z" }),
    cross: () => svg("path", { d: "M-5-3L-3-5L0-2L3-5L5-3L2 0L5 3L3 5L0 2L-3 5L-5 3L-2 0Z" }),
  };

  // The marks that are on the map now, and only those.
  function legend(node, { scale, overlay, state, inspected, theme, noun }) {
    const told = help(noun);
    const items = [];
    const add = (text, ...shapes) => items.push(element("span", { title: told[text] }, icon(...shapes), text));
    const byState = scale.kind === "state";
    const few = scale.kind === "case" && scale.names?.length > 0;
    if (few) {
      const colors = paint.caseColors(theme.dark);
      scale.names.forEach((name, i) => {
        const shape = CASE_ICONS[paint.CASE_SHAPES[i % 7]]();
        shape.setAttribute("fill", `rgb(${colors[i % 7].join(",")})`);
        add(name, shape);
      });
    } else {
      const blue = theme.dark ? sw.PALETTE.sky : sw.PALETTE.blue;
      add("unlabeled", svg("circle", { r: 3.2, fill: byState ? "#8a8a8a" : theme.faint }));
      add("labeled", svg("rect", { x: -4, y: -4, width: 8, height: 8, fill: byState ? blue : theme.faint }));
    }
    if (overlay.sources.length) {
      add("source z", svg("circle", { r: 4.6, fill: "none", stroke: theme.ink, "stroke-width": 1.6 }));
      if (!state.fixed) add("z′", svg("path", { d: "M-4-4L4 4M4-4L-4 4", stroke: theme.vermilion, "stroke-width": 2, "stroke-linecap": "round" }));
    }
    if (overlay.picks.length) add("suggestion", svg("polygon", { points: STAR, fill: theme.vermilion }));
    if (overlay.flags.some((flag) => flag > 0)) add("outside its cone", svg("polygon", { points: STAR, fill: "none", stroke: theme.vermilion, "stroke-width": 1.6 }));
    if (overlay.inside.length) add("inside a cone", svg("circle", byState ? { r: 3.6, fill: sw.PALETTE.orange, opacity: 0.75 } : { r: 4, fill: "none", stroke: theme.faint }));
    if (state.wedge && state.half_angle < 180 && overlay.sources.length) add("cone", svg("path", { d: "M-7 3L6-6A12 12 0 0 1 6 8Z", fill: "rgba(230,159,0,.25)", stroke: "#c48200" }));
    if (inspected) add("inspected", svg("circle", { r: 5.4, fill: "none", stroke: sw.PALETTE.purple, "stroke-width": 2.4 }));
    const key = items.map((item) => item.textContent).join("|") + scale.kind + theme.dark;
    if (node.dataset.key === key) return; // a moving slider changes nothing here
    node.dataset.key = key;
    node.replaceChildren(...items);
  }

  // What the colors of values mean; hidden where colors are states or a few cases.
  function bar(node, scale, kinds, theme) {
    node.hidden = scale.kind === "state" || (scale.kind === "case" && scale.names.length > 0) || !kinds.length;
    if (node.hidden) return;
    const shades = paint.ramp(theme.dark);
    const stops = [0, 64, 128, 192, 255].map((i) => `rgb(${shades[i].join(",")})`);
    const gradient = element("div", { class: "sw-map-ramp" });
    gradient.style.background = `linear-gradient(to top, ${stops.join(",")})`;
    const places = Math.max(0, Math.min(4, 2 - Math.floor(Math.log10(scale.high - scale.low || 1))));
    const digits = { minimumFractionDigits: 0, maximumFractionDigits: places };
    const middle = (scale.low + scale.high) / 2;
    const ends = [scale.high, scale.kind === "case" ? Math.round(middle) : middle, scale.low].map((value) => element("span", {}, value.toLocaleString("en-US", digits).replace("-", "−")));
    const unknown = scale.kind === "value" && kinds.some((kind) => kind % 257 === 256);
    sw.put(node, element("div", { class: "sw-map-bar-title" }, scale.kind === "case" ? "case, in order" : scale.label),
      element("div", { class: "sw-map-bar-body" }, gradient, element("div", { class: "sw-map-bar-ends sw-number" }, ...ends)),
      unknown ? element("div", { class: "sw-soft" }, "grey: not known") : null);
  }

  // While there is no map: what it will show, and the one button that leads there.
  function empty(node, state, theme, noun, next) {
    const line = (text, ...shapes) => element("li", {}, icon(...shapes), element("span", {}, text));
    const waiting = state.detail || (state.busy ? `Working on the ${state.busy} …` : "");
    sw.put(node, element("div", { class: "sw-map-card" }, element("h3", {}, "The latent map"),
      element("ul", {},
        line(`Every ${noun} of the cohort is a point; ${noun}s that look alike lie close together.`, svg("circle", { cx: -3, cy: 2, r: 2.6, fill: "#8a8a8a" }), svg("circle", { cx: 3, cy: -2, r: 2.6, fill: "#8a8a8a" })),
        line(`An arrow z → z′ shows where the loss gradient of a labeled ${noun} points: toward ${noun}s that the model finds harder.`, svg("path", { d: "M-7 4L3-2M4-3L-1-3M4-3L2 2", stroke: theme.ink, "stroke-width": 1.6, fill: "none" })),
        line(`Inside a cone beyond z′, the nearest unlabeled ${noun} is suggested for labeling.`, svg("polygon", { points: STAR, fill: theme.vermilion }))),
      state.button ? element("button", { type: "button", class: "sw-primary", onclick: next }, state.button) : element("p", { class: "sw-soft" }, waiting)));
  }

  // What a lasso holds.
  function listing(node, held, noun, inspect, close) {
    node.hidden = !held.count;
    if (node.hidden) return;
    const rest = held.count - held.rows.length;
    sw.put(node,
      element("div", { class: "sw-map-listing-head" }, element("strong", {}, sw.count(held.count, noun, `${noun}s`)),
        element("span", { class: "sw-soft" }, ` in ${sw.count(held.cases.length, "case", "cases")} · ${held.labeled.toLocaleString("en-US")} labeled`),
        element("button", { type: "button", class: "sw-quiet", "aria-label": "Close the list", onclick: close }, "×")),
      element("div", { class: "sw-map-rows" }, ...held.rows.map(([row, text]) => element("button", { type: "button", class: "sw-quiet", onclick: () => inspect(row) }, text))),
      rest ? element("div", { class: "sw-soft" }, `and ${rest.toLocaleString("en-US")} more`) : null);
  }

  // One point: its picture, its name, what it is.
  function tip(node, fact, role, [x, y], [width, height]) {
    sw.put(node, fact.url ? element("img", { src: fact.url, alt: "", width: Math.round(92 * fact.ratio), height: 92 }) : null,
      element("div", {}, element("strong", {}, fact.lines[0]), role ? element("div", { class: "sw-map-role" }, role) : null,
        ...fact.lines.slice(1).map((line) => element("div", { class: "sw-number" }, line))));
    node.hidden = false;
    const [w, h] = [node.offsetWidth, node.offsetHeight];
    node.style.left = `${Math.max(4, x + 16 + w > width ? x - 16 - w : x + 16)}px`;
    node.style.top = `${Math.max(4, Math.min(height - h - 4, y - h / 2))}px`;
  }

  // One tab for each map, also for those that are still to be computed.
  function tabs(node, all, send) {
    const focused = document.activeElement;
    const held = node.contains(focused) ? focused.dataset.name : null;
    node.replaceChildren(...all.map((tab) => {
      const running = tab.state === "running";
      const title = { ready: `Show ${tab.label}`, running: "Being computed; click to stop", "not computed": `Compute ${tab.label} in the background, then show it` }[tab.state];
      return element("button", {
        type: "button", role: "tab", class: "sw-quiet", title, "data-name": tab.name, "data-state": tab.state,
        "aria-selected": String(tab.state === "shown"), tabindex: tab.state === "shown" ? "0" : "-1",
        onclick: () => send(running ? { do: "cancel" } : { do: "show_map", name: tab.name }),
      }, running ? `${tab.label} ${Math.round(tab.fraction * 100)} %` : tab.label, running ? element("span", { class: "sw-map-stop", "aria-label": "stop" }, "×") : null);
    }));
    if (held) [...node.children].find((tab) => tab.dataset.name === held)?.focus();
  }

  // More than three latent dimensions: any two of them.
  function pair(node, frame, show) {
    node.hidden = !(frame.d > 3);
    if (node.hidden) return;
    const dims = frame.dims?.length === 2 ? frame.dims : [0, 1];
    const choose = (which, label) => element("select", { "aria-label": label, onchange: (event) => {
      const next = [...dims];
      next[which] = Number(event.target.value);
      show(`z${Math.min(...next) + 1}·z${Math.max(...next) + 1}`);
    } }, ...Array.from({ length: frame.d }, (_, i) => element("option", { value: i, selected: i === dims[which], disabled: i === dims[1 - which] }, `z${i + 1}`)));
    node.replaceChildren(choose(0, "Horizontal latent axis"), "·", choose(1, "Vertical latent axis"));
  }

  // Numbers of the points that lie inside a polygon drawn on the map.
  function within(polygon, n, at) {
    const found = [];
    for (let i = 0; i < n; i += 1) {
      const [x, y] = at(i);
      let inside = false;
      for (let j = 0, k = polygon.length - 1; j < polygon.length; k = j, j += 1) {
        const [xj, yj] = polygon[j];
        const [xk, yk] = polygon[k];
        if (yj > y !== yk > y && x < ((xk - xj) * (y - yj)) / (yk - yj) + xj) inside = !inside;
      }
      if (inside) found.push(i);
    }
    return found;
  }

  return { legend, bar, empty, listing, tip, tabs, pair, within };
})();
