export default {
  render({ model, el }) {
    const { element } = sw;
    const noun = model.get("noun");
    const through = noun === "volume"; // slices are looked at one after the other
    el.classList.add("sw", "sw-inspector");
    // viridis, nine stops
    const VIRIDIS = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];
    const TILES = {
      x: ["x", `The labeled ${noun} this suggestion was found from, with its loss gradient laid over it`],
      x_shifted: ["x′ = x + αĝ", "The source after the step along its loss gradient"],
      decoded: ["decoded z′", "What the VAE makes of the shifted latent z′"],
      previous: ["−1", "The slice before it in the same case"],
      picture: ["this slice", "The slice that is inspected"],
      next: ["+1", "The slice after it in the same case"],
    };
    const title = element("h3", {}, `Why this ${noun}`);
    const back = element("button", { class: "sw-quiet", title: "Previous suggestion", "aria-label": "Previous suggestion", onclick: () => model.send({ do: "step", by: -1 }) }, "◂");
    const forth = element("button", { class: "sw-quiet", title: "Next suggestion", "aria-label": "Next suggestion", onclick: () => model.send({ do: "step", by: 1 }) }, "▸");
    const channel = element("select", { "aria-label": "Channel", title: "Channel", onchange: () => model.send({ do: "channel", index: channel.selectedIndex }) });
    const overlay = element("input", { type: "checkbox", checked: true, onchange: () => paint() });
    const uncertain = element("input", { type: "checkbox", onchange: () => model.send({ do: "uncertain", on: uncertain.checked }) });
    const numbers = element("div", { class: "sw-inspector-numbers sw-number" });
    const sentence = element("p", { class: "sw-inspector-sentence", role: "status" });
    const message = element("p", { class: "sw-inspector-message", role: "alert" });
    const top = element("div", { class: "sw-inspector-row" });
    const below = element("div", { class: "sw-inspector-row" });
    const source = element("div", { class: "sw-inspector-name" });
    const name = element("div", { class: "sw-inspector-name" });
    const legend = element("div", { class: "sw-inspector-legend" });
    const gradientSwitch = element("label", { title: "Loss gradient over x: where a small change of brightness raises the loss most" }, overlay, " |∂L/∂x|");
    const uncertainSwitch = element("label", { title: "Where the network is uncertain: the variance over predictions with dropout if it was trained with dropout, else the entropy. Takes a few predictions" }, uncertain, " uncertainty");
    const turns = sw.latest(model, "depth");
    const depth = element("input", { type: "range", min: "1", step: "1", "aria-label": "Slice of the volume", title: "Slice of the volume: wheel or Page Up and Page Down over a picture, arrow keys here", oninput: () => turn(Number(depth.value) - 1) });
    const depthText = element("output", { class: "sw-number sw-soft" });
    const stack = element("div", { class: "sw-inspector-depth" }, depth, depthText);
    const side = element("div", { class: "sw-inspector-side" }, stack, legend); // moves into the large picture and back
    const large = element("dialog", { class: "sw-inspector-large" });
    el.append(element("div", { class: "sw-inspector-head" }, title, back, forth, channel), numbers, sentence, message,
      source, top, name, below, large);

    const decoded = new Map();   // name → {values, width, height}
    const tiles = new Map();     // name → {button, canvas, letters}
    let shown = [0, 1];
    let opened = [0, 1];         // the window that pictures begin with
    let stamp = 0;
    let observer = null;

    for (const [key, [caption, about]] of Object.entries(TILES)) {
      const canvas = element("canvas");
      const button = element("button", { class: "sw-inspector-tile", title: `${about}.\nClick: enlarge · right drag or arrow keys: window and level · R: reset`, "aria-label": `${about}. Enter enlarges, arrow keys change window and level, R resets.`, onclick: () => enlarge(key) }, canvas);
      const letters = ["left", "right", "top", "bottom"].map((side) => element("span", { class: `sw-inspector-letter sw-${side}`, "aria-hidden": "true" }));
      button.append(...letters);
      const cell = element("div", { class: "sw-inspector-cell" }, button, element("span", { class: "sw-inspector-caption" }, caption));
      (["x", "x_shifted", "decoded"].includes(key) ? top : below).append(cell);
      tiles.set(key, { button, canvas, letters, cell });
      adjust(button);
      leaf(button);
    }
    // A volume's slider takes the place of the neighbors of its slice.
    if (through) for (const key of ["previous", "next"]) { tiles.get(key).cell.remove(); tiles.delete(key); }
    function settle() {
      if (through) below.append(side);
      else below.after(side);
    }
    settle();

    // ------------------------------------------------------------ through a volume
    let wanted = 0; // the slice that was last asked for; pictures of it may still be on their way
    function turn(to) {
      const last = (model.get("info").depths ?? 0) - 1;
      if (last < 0) return;
      wanted = Math.min(Math.max(to, 0), last);
      turns.send({ index: wanted });
      showDepth();
    }
    function showDepth() {
      const depths = model.get("info").depths ?? 0;
      stack.hidden = !depths;
      depth.max = String(Math.max(depths, 1));
      depth.value = String(wanted + 1);
      depthText.textContent = `slice ${wanted + 1} of ${depths}`;
      depth.setAttribute("aria-valuetext", depthText.textContent);
    }
    // The wheel and the page keys leaf through the slices over any picture.
    function leaf(node) {
      if (!through) return;
      let rolled = 0;
      node.addEventListener("wheel", (event) => {
        event.preventDefault();
        rolled += event.deltaMode === 0 ? event.deltaY / 40 : event.deltaY;
        const slices = Math.trunc(rolled);
        if (slices) { rolled -= slices; turn(wanted - Math.sign(slices) * Math.min(Math.abs(slices), 3)); }
      }, { passive: false });
      node.addEventListener("keydown", (event) => {
        const by = { PageUp: 1, PageDown: -1 }[event.key];
        if (by) { event.preventDefault(); turn(wanted + by); }
      });
    }

    // Right drag changes the window (across) and the level (up and down).
    function adjust(node) {
      let from = null;
      node.addEventListener("contextmenu", (event) => { event.preventDefault(); event.stopPropagation(); });
      node.addEventListener("pointerdown", (event) => {
        if (event.button !== 2) return;
        event.preventDefault();
        node.setPointerCapture(event.pointerId);
        from = { x: event.clientX, y: event.clientY, shown: [...shown] };
      });
      node.addEventListener("pointermove", (event) => {
        if (!from) return;
        const [low, high] = from.shown;
        const width = high - low;
        shift(from.shown, (event.clientX - from.x) / 120, (event.clientY - from.y) / 160 * width);
      });
      node.addEventListener("pointerup", () => { from = null; });
      node.addEventListener("pointercancel", () => { from = null; });
      node.addEventListener("keydown", (event) => {
        if (event.key === "r" || event.key === "R") { shown = [...(model.get("info").window ?? [0, 1])]; paint(); return; }
        const step = { ArrowRight: [0.15, 0], ArrowLeft: [-0.15, 0], ArrowUp: [0, -0.05], ArrowDown: [0, 0.05] }[event.key];
        if (!step) return;
        event.preventDefault();
        shift(shown, step[0], step[1] * (shown[1] - shown[0]));
      });
    }
    function shift([low, high], wider, up) {
      const middle = (low + high) / 2 + up;
      const half = Math.max((high - low) / 2 * Math.exp(wider), 1e-6);
      shown = [middle - half, middle + half];
      requestAnimationFrame(paint);
    }

    async function load() {
      const mine = ++stamp;
      const pictures = model.get("pictures");
      const ranges = model.get("ranges");
      const entries = await Promise.all(Object.entries(pictures).map(async ([key, bytes]) => [key, await sw.picture(bytes, ranges[key])]));
      if (mine !== stamp) return; // a newer slice came meanwhile
      decoded.clear();
      for (const [key, picture] of entries) decoded.set(key, picture);
      const [low, high] = model.get("info").window ?? [0, 1];
      if (opened[0] !== low || opened[1] !== high) { opened = [low, high]; shown = [low, high]; } // another slice of a volume keeps what a person set
      if (turns.idle) wanted = model.get("info").depth ?? 0;
      showDepth();
      describe();
      paint();
    }

    function describe() {
      const info = model.get("info");
      const some = Boolean(info.suggested);
      const withSource = decoded.has("x");
      back.hidden = forth.hidden = !info.total;
      channel.hidden = !some || (info.channels ?? []).length < 2;
      if (channel.options.length !== (info.channels ?? []).length || [...channel.options].some((o, i) => o.textContent !== info.channels[i])) {
        channel.replaceChildren(...(info.channels ?? []).map((text) => element("option", {}, text)));
      }
      channel.selectedIndex = model.get("channel");
      const cells = !some ? [] : info.rank
        ? [["rank", `${info.rank} of ${info.total}`, "Place among the suggestions, 1 is most wanted"],
           ["distance", info.distance === null ? "–" : `${sw.number(info.distance)} u`, `Distance of the ${noun} to z′. u: the median distance of a ${noun} to its nearest neighbor in latent space`],
           ["angle", info.angle === null ? "–" : `${Math.round(info.angle)}°`, `Angle at z′ between the ${noun} and the direction z → z′; the cone admits angles up to its half-angle`]].filter(([label, value]) => label === "rank" || value !== "–")
        : [["state", info.state, `Whether this ${noun} is labeled`]];
      numbers.replaceChildren(...cells.map(([label, value, about]) => element("span", { title: about }, element("span", { class: "sw-soft" }, `${label} `), element("b", {}, value))));
      if (some && info.flag) numbers.append(element("span", { class: "sw-inspector-flag" }, `☆ ${info.flag}`));
      const own = withSource && !info.source;
      source.textContent = withSource ? (own ? `this ${noun} as a source` : `from ${info.source}`) : "";
      source.title = source.textContent;
      name.textContent = some ? info.suggested : "";
      name.title = name.textContent;
      for (const [key, { button, cell, letters }] of tiles) {
        const picture = decoded.get(key);
        cell.style.visibility = picture ? "visible" : "hidden";
        if (!picture) continue;
        if (through && key === "picture") cell.lastChild.textContent = `slice ${(info.depth ?? 0) + 1}`;
        const [row, column] = info.spacing ?? [1, 1];
        button.style.aspectRatio = String(picture.width * column / (picture.height * row));
        letters.forEach((node, i) => { node.textContent = info.letters[i]; });
      }
      source.hidden = top.hidden = !withSource;
      name.hidden = below.hidden = !some;
      legend.hidden = !some;
      const [reference, prediction] = info.colors ?? ["", ""];
      const outline = (color, dash, text) => element("span", {}, svgLine(color, dash), text);
      legend.replaceChildren(
        ...(model.get("reference").byteLength ? [outline(reference, null, "reference")] : []),
        ...(model.get("prediction").byteLength ? [outline(prediction, "4 3", "prediction")] : []));
      if (!legend.children.length && some) legend.append(element("span", { class: "sw-soft" }, "no outline: no foreground here"));
      if (decoded.has("gradient")) {
        legend.append(gradientSwitch, ramp("0 ", ` ${sw.number(info.gradient)} loss/sd`, "Change of the loss for one standard deviation of brightness in one pixel"));
      }
      if (some && info.trained) {
        legend.append(uncertainSwitch);
        uncertain.checked = model.get("uncertain");
        if (decoded.has("uncertainty")) legend.append(ramp("0 ", ` ${sw.number(info.uncertainty)} ${info.uncertainty_of}`, `The same colors for the whole ${noun}; few pixels lie above`));
      }
      sentence.textContent = (model.get("looking") ? "The network looks at it … " : "") + model.get("sentence");
      message.textContent = model.get("message");
      message.hidden = !model.get("message");
    }
    function ramp(low, high, about) {
      const stops = VIRIDIS.map((c, i) => `rgba(${c}, ${Math.min(1, 0.15 + i / 8)})`).join(",");
      return element("span", { class: "sw-number", title: about }, low, element("i", { class: "sw-inspector-scale", style: `background:linear-gradient(90deg,${stops}),#000` }), high);
    }
    function svgLine(color, dash) {
      return sw.svg("svg", { width: 18, height: 6, "aria-hidden": "true" }, sw.svg("line", { x1: 0, x2: 18, y1: 3, y2: 3, stroke: color, "stroke-width": 1.5, "stroke-dasharray": dash }));
    }

    function raster(key) {
      const { values, width, height } = decoded.get(key);
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext("2d");
      const image = context.createImageData(width, height);
      const [low, high] = shown;
      const laid = key === "x" && overlay.checked ? "gradient" : key === "picture" && uncertain.checked ? "uncertainty" : "";
      const over = decoded.get(laid);
      const most = model.get("info")[laid] || 1;
      for (let i = 0; i < values.length; i += 1) {
        const grey = 255 * Math.min(Math.max((values[i] - low) / (high - low), 0), 1);
        let [r, g, b] = [grey, grey, grey];
        if (over) {
          const t = Math.min(over.values[i] / most, 1);
          const at = Math.min(t * 8, 7.999);
          const a = VIRIDIS[Math.floor(at)];
          const c = VIRIDIS[Math.floor(at) + 1];
          const f = at - Math.floor(at);
          const alpha = laid === "gradient" ? Math.min(0.85, 1.3 * t) : 0.65 * Math.min(1, 1.3 * t); // the picture stays visible where all is uncertain
          r += alpha * (a[0] + f * (c[0] - a[0]) - r);
          g += alpha * (a[1] + f * (c[1] - a[1]) - g);
          b += alpha * (a[2] + f * (c[2] - a[2]) - b);
        }
        image.data.set([r, g, b, 255], 4 * i);
      }
      context.putImageData(image, 0, 0);
      return canvas;
    }

    function paintTile(key, canvas) {
      const picture = decoded.get(key);
      const width = canvas.clientWidth;
      const height = canvas.clientHeight;
      if (!picture || !width || !height) return;
      const ratio = window.devicePixelRatio || 1;
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      const context = canvas.getContext("2d");
      context.imageSmoothingEnabled = height / picture.height <= 4; // beyond that, show the pixels
      context.imageSmoothingQuality = "high";
      context.drawImage(raster(key), 0, 0, canvas.width, canvas.height);
      if (key !== "picture") return;
      const sx = canvas.width / picture.width;
      const sy = canvas.height / picture.height;
      const [reference, prediction] = model.get("info").colors;
      const drawn = (name, color, dash) => sw.outline(context, sw.array(Float32Array, model.get(name)), { kx: sx, ky: sy, ratio, color, dash });
      drawn("reference", reference, []);
      drawn("prediction", prediction, [4, 3]);
    }
    function paint() {
      for (const [key, { canvas }] of tiles) paintTile(key, canvas);
      if (large.open) paintTile(large.dataset.key, large.querySelector("canvas"));
    }

    function enlarge(key) {
      const picture = decoded.get(key);
      if (!picture) return;
      const [row, column] = model.get("info").spacing ?? [1, 1];
      const aspect = picture.width * column / (picture.height * row);
      const room = Math.min(window.innerHeight - 130, 720, (window.innerWidth - 80) / aspect);
      const canvas = element("canvas", { style: `width:${room * aspect}px;height:${room}px` });
      const frame = element("button", { class: "sw-inspector-tile", "aria-label": "Close", onclick: () => large.close() }, canvas,
        ...["left", "right", "top", "bottom"].map((side, i) => element("span", { class: `sw-inspector-letter sw-${side}` }, model.get("info").letters[i])));
      adjust(frame);
      leaf(frame);
      const owner = key === "x" || key === "x_shifted" || key === "decoded" ? model.get("info").source || model.get("info").suggested : model.get("info").suggested;
      large.dataset.key = key;
      large.replaceChildren(element("div", { class: "sw-inspector-head" }, element("h3", {}, `${TILES[key][0]} · ${owner}`), element("button", { onclick: () => large.close() }, "Close")), frame);
      large.append(side);
      large.showModal();
      paint();
    }
    large.addEventListener("close", settle);
    large.addEventListener("click", (event) => { if (event.target === large) large.close(); });

    for (const key of ["pictures", "info"]) model.on(`change:${key}`, () => queueMicrotask(load));
    model.on("change:sentence", () => queueMicrotask(load));
    model.on("change:message", describe);
    model.on("change:looking", describe);
    observer = new ResizeObserver(() => requestAnimationFrame(paint));
    observer.observe(el);
    sw.shield(el);
    load();
    const seen = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) { seen.disconnect(); model.send({ do: "visible" }); }
    });
    seen.observe(el);
    return () => { observer.disconnect(); seen.disconnect(); turns.stop(); };
  },
};
