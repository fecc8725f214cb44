// A small line chart in SVG, put in front of the scripts of the views that draw curves.
const chart = (() => {
  const { element, svg } = sw;

  // Round values that cover low … high in about n steps.
  function ticks(low, high, n, whole) {
    const span = Math.max(high - low, 1e-12);
    const raw = span / Math.max(n, 1);
    const power = 10 ** Math.floor(Math.log10(raw));
    let step = [1, 2, 2.5, 5, 10].map((f) => f * power).find((s) => s >= raw * 0.999);
    if (whole) step = Math.max(1, Math.ceil(step));
    const out = [];
    for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-6; v += step) out.push(Math.abs(v) < step * 1e-9 ? 0 : v);
    return { values: out, step };
  }

  function label(value, step) {
    if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
    const places = Math.max(0, Math.min(4, -Math.floor(Math.log10(step) + 1e-9)));
    const needed = Math.abs(step * 10 ** places - Math.round(step * 10 ** places)) > 1e-6 ? places + 1 : places;
    return value.toFixed(needed).replace("-", "−");
  }

  // make(host) returns draw(spec); spec: {name, series: [{name, color, dash, points, dots, soft}],
  // x: {title, min, max, whole}, y: {title, min, max}, empty, format}. Colors may be CSS variables.
  function make(host) {
    host.classList.add("sw-chart");
    const picture = svg("svg", { role: "img", tabindex: 0 });
    const tip = element("div", { class: "sw-chart-tip sw-number", role: "status" });
    host.append(picture, tip);
    let spec = null;
    let frame = null;
    let at = -1;
    let pending = 0;

    function draw() {
      pending = 0;
      if (!spec) return;
      const width = host.clientWidth;
      const height = host.clientHeight;
      if (width < 40 || height < 30) return;
      picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
      picture.setAttribute("width", width);
      picture.setAttribute("height", height);
      picture.setAttribute("aria-label", spec.name);
      const series = spec.series.filter((line) => line.points.length);
      if (!series.length) {
        frame = null;
        picture.replaceChildren(svg("title", {}, spec.name));
        tip.textContent = spec.empty ?? "";
        tip.className = "sw-chart-tip sw-chart-empty";
        return;
      }
      if (at < 0) { tip.textContent = ""; tip.className = "sw-chart-tip"; tip.hidden = true; }
      const all = series.flatMap((line) => line.points);
      const xs = all.map((p) => p[0]);
      const ys = all.map((p) => p[1]).filter(Number.isFinite);
      let x0 = spec.x.min ?? Math.min(...xs);
      let x1 = spec.x.max ?? Math.max(...xs);
      if (x1 <= x0) { x0 -= 1; x1 += 1; }
      let y0 = spec.y.min ?? Math.min(...ys);
      let y1 = spec.y.max ?? Math.max(...ys);
      if (y1 <= y0) y1 = y0 + 1;
      if (spec.y.max === undefined) y1 += 0.05 * (y1 - y0);
      const yt = ticks(y0, y1, Math.max(2, Math.floor(height / 45)));
      const widest = Math.max(...yt.values.map((v) => label(v, yt.step).length));
      const pad = { l: 26 + 7 * widest, r: 12, t: 8, b: 36 };
      const right = width - pad.r;
      const bottom = height - pad.b;
      const px = (v) => pad.l + (right - pad.l) * (v - x0) / (x1 - x0);
      const py = (v) => bottom - (bottom - pad.t) * (v - y0) / (y1 - y0);
      const xt = ticks(x0, x1, Math.max(2, Math.floor((right - pad.l) / 70)), spec.x.whole);
      const nodes = [svg("title", {}, spec.name)];
      for (const v of yt.values) {
        nodes.push(svg("line", { x1: pad.l, x2: right, y1: py(v), y2: py(v), class: "sw-chart-grid" }));
        nodes.push(svg("text", { x: pad.l - 5, y: py(v) + 4, "text-anchor": "end" }, label(v, yt.step)));
      }
      for (const v of xt.values) {
        nodes.push(svg("line", { x1: px(v), x2: px(v), y1: bottom, y2: bottom + 3, class: "sw-chart-axis" }));
        nodes.push(svg("text", { x: px(v), y: bottom + 15, "text-anchor": "middle" }, label(v, xt.step)));
      }
      nodes.push(svg("line", { x1: pad.l, x2: right, y1: bottom, y2: bottom, class: "sw-chart-axis" }));
      nodes.push(svg("text", { x: (pad.l + right) / 2, y: height - 5, "text-anchor": "middle", class: "sw-chart-title" }, spec.x.title));
      nodes.push(svg("text", { transform: `translate(11 ${(pad.t + bottom) / 2}) rotate(-90)`, "text-anchor": "middle", class: "sw-chart-title" }, spec.y.title));
      for (const line of series) {
        const kept = line.points.filter((p) => Number.isFinite(p[1]));
        const d = kept.map((p, i) => `${i ? "L" : "M"}${px(p[0]).toFixed(1)} ${py(p[1]).toFixed(1)}`).join("");
        nodes.push(svg("path", { d, fill: "none", style: `stroke:${line.color}`, "stroke-width": line.width ?? 1.75, "stroke-dasharray": line.dash ?? null, "stroke-linejoin": "round" }));
        if (line.dots) for (const p of kept) nodes.push(mark(line.mark, px(p[0]), py(p[1]), line.color));
      }
      const rule = svg("line", { y1: pad.t, y2: bottom, class: "sw-chart-rule", visibility: "hidden" });
      nodes.push(rule);
      picture.replaceChildren(...nodes);
      const stops = [...new Set(xs)].sort((a, b) => a - b);
      frame = { px, stops, rule, series, width, height };
      if (at >= 0) show(Math.min(at, stops.length - 1));
    }

    function mark(kind, x, y, color) {
      const style = `fill:${color}`;
      if (kind === 1) return svg("rect", { x: x - 3, y: y - 3, width: 6, height: 6, style });
      if (kind === 2) return svg("path", { d: `M${x} ${y - 4}l4 7h-8z`, style });
      if (kind === 3) return svg("path", { d: `M${x} ${y - 4.2}l4.2 4.2l-4.2 4.2l-4.2 -4.2z`, style });
      return svg("circle", { cx: x, cy: y, r: 3, style });
    }

    function show(index) {
      at = index;
      if (!frame || index < 0) {
        tip.hidden = Boolean(frame);
        frame?.rule.setAttribute("visibility", "hidden");
        return;
      }
      const x = frame.stops[index];
      const place = frame.px(x);
      frame.rule.setAttribute("x1", place);
      frame.rule.setAttribute("x2", place);
      frame.rule.setAttribute("visibility", "visible");
      const rows = frame.series.map((line) => [line, line.points.find((p) => p[0] === x)]).filter(([, p]) => p);
      tip.replaceChildren(
        element("b", {}, (spec.format?.x ?? String)(x)),
        ...rows.map(([line, p]) => element("div", {}, element("i", { style: `background:${line.color}` }), `${line.name}: ${(spec.format?.y ?? String)(p[1])}`)));
      tip.hidden = false;
      tip.className = "sw-chart-tip sw-chart-on";
      const left = place > frame.width / 2;
      tip.style.left = left ? "" : `${place + 10}px`;
      tip.style.right = left ? `${frame.width - place + 10}px` : "";
    }

    picture.addEventListener("pointermove", (event) => {
      if (!frame) return;
      const x = event.clientX - picture.getBoundingClientRect().left;
      let best = 0;
      frame.stops.forEach((v, i) => { if (Math.abs(frame.px(v) - x) < Math.abs(frame.px(frame.stops[best]) - x)) best = i; });
      show(best);
    });
    picture.addEventListener("pointerleave", () => show(-1));
    picture.addEventListener("blur", () => show(-1));
    picture.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step || !frame) return;
      event.preventDefault();
      const fast = event.shiftKey ? Math.max(1, Math.round(frame.stops.length / 20)) : 1;
      show(Math.min(Math.max((at < 0 ? (step > 0 ? -1 : frame.stops.length) : at) + step * fast, 0), frame.stops.length - 1));
    });
    function later() { if (!pending) pending = requestAnimationFrame(draw); }
    const watcher = new ResizeObserver(later);
    watcher.observe(host);
    return {
      draw(next) { spec = next; later(); },
      stop() { watcher.disconnect(); cancelAnimationFrame(pending); },
    };
  }
  return { make };
})();
