export default {
  render({ model, el }) {
    const { element } = sw;
    const noun = model.get("noun");
    el.classList.add("sw", "sw-curves");
    const label = element("button", { title: `Simulates annotating: gives the suggested ${noun}s the data set's own labels`, onclick: () => model.send({ do: "label" }) });
    const round = element("button", { title: `Train on all labeled ${noun}s, then suggest again`, onclick: () => model.send({ do: "round" }) }, "Next round");
    const key = element("ul", { class: "sw-curves-key", "aria-label": "Legend" });
    const zoom = element("button", { class: "sw-quiet", "aria-pressed": "false", title: "Zoom the Dice axis to the data", onclick: () => { zoom.setAttribute("aria-pressed", String(zoom.getAttribute("aria-pressed") !== "true")); show(); } }, "Zoom");
    const against = element("select", { "aria-label": "Draw against", title: "What the curve is drawn against", onchange: () => model.send({ do: "against", cost: against.value }) });
    const host = element("div", { class: "sw-curves-plot" });
    const said = element("div", { class: "sw-hidden", role: "status" });
    const enough = element("p", { class: "sw-curves-enough", title: "Read from the validation cases, which are neither trained on nor used to judge the result" });
    el.append(element("div", { class: "sw-curves-head" }, element("h3", {}, "Learning curve"), against, zoom, key, enough, element("span", { class: "sw-curves-loop" }, label, round)), host, said);
    const percent = (part, whole) => `${(100 * part / (whole || 1)).toFixed(1)} %`;
    const share = (n) => {
      const { pool, scans } = model.get("most");
      return scans ? `${percent(n, pool)} of the pool, ${percent(n, scans)} of all scans` : percent(n, pool);
    };
    const plot = chart.make(host);
    const shapes = ["●", "■", "▲", "◆"];

    function show() {
      const lines = model.get("lines");
      const ghost = model.get("ghost");
      const series = lines.map((line, i) => ({
        name: line.name, color: line.color, width: line.mean ? 2.5 : 1.5, points: line.points, dots: true, mark: i % shapes.length,
      }));
      const chosen = model.get("costs").find(([name]) => name === model.get("cost"));
      const drawn = chosen?.[2]; // the cost of what somebody drew, in a few words; random choice has none
      // its first point is the common first round: there is a line from the second on
      if (ghost.length > 1 && !drawn) series.push({ name: "random (mean)", color: "var(--sw-soft)", dash: "5 4", width: 1.5, points: ghost, dots: false });
      const validation = model.get("validation");
      if (validation.length) series.push({ name: "validation (mean)", color: "var(--sw-text)", dash: "1.5 3", width: 1.75, points: validation, dots: false, sign: "┄" });
      key.replaceChildren(...series.map((line, i) => element("li", {},
        element("i", { style: `color:${line.color}`, "aria-hidden": "true" }, line.dash ? line.sign ?? "╌" : shapes[i % shapes.length]), line.name)));
      if (series.length && ghost.length < 2 && !drawn) key.append(element("li", { title: `What ${noun}s drawn at random would have reached; computed while the machine is idle` }, "random: from the next round on"));
      const zoomed = zoom.getAttribute("aria-pressed") === "true";
      zoom.hidden = !series.length;
      plot.draw({
        name: `Learning curve. ${model.get("latest")}`,
        series,
        x: drawn ? { title: chosen[1], min: 0 } : { title: `labeled ${noun}s`, whole: true, min: 0, max: Math.max(model.get("most").end || 1, ...series.flatMap((line) => line.points.map((p) => p[0]))) },
        y: zoomed ? { title: was ? "Dice" : "Dice, test cases (zoomed)" } : { title: was ? "Dice" : "Dice, test cases", min: 0, max: 1 },
        empty: `Each finished round adds a point: how well the model segments the test cases against how many ${noun}s were labeled for it.`,
        format: { x: (v) => drawn ? `${drawn}: ${v.toLocaleString("en-US", { maximumFractionDigits: 1 })}` : `${sw.count(v, `labeled ${noun}`, `labeled ${noun}s`)} (${share(v)})`, y: (v) => v.toFixed(3) },
      });
      said.textContent = model.get("latest");
      enough.textContent = model.get("enough");
      enough.hidden = !enough.textContent;
    }
    function choices() {
      const costs = model.get("costs");
      against.hidden = !costs.length;
      against.replaceChildren(...costs.map(([value, title, brief]) => element("option", { value }, brief || title)));
      against.value = model.get("cost");
    }
    function buttons() {
      label.textContent = model.get("label_button");
      label.disabled = !model.get("can_label");
      round.disabled = !model.get("can_round");
    }
    // Low and wide, the legend and the buttons stand beside the plot.
    const shape = new ResizeObserver(() => {
      const flat = el.clientHeight < 200 && el.clientWidth > 620;
      if (el.classList.toggle("sw-flat", flat) !== was) { was = flat; show(); }
    });
    let was = null;
    shape.observe(el);
    for (const name of ["lines", "ghost", "validation", "enough", "latest", "most", "costs", "cost"]) model.on(`change:${name}`, show);
    for (const name of ["costs", "cost"]) model.on(`change:${name}`, choices);
    for (const name of ["label_button", "can_label", "can_round"]) model.on(`change:${name}`, buttons);
    sw.shield(el);
    show(); choices(); buttons();
    return () => { shape.disconnect(); plot.stop(); };
  },
};
