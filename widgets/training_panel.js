export default {
  render({ model, el }) {
    const { element } = sw;
    el.classList.add("sw", "sw-training");
    const cards = {
      vae: card("vae", "Manifold (VAE)", "manifold", "var(--sw-blue)", "ELBO loss"),
      unet: card("unet", "Model (U-Net)", "model", "var(--sw-vermilion)", "Dice loss"),
    };
    const teach = element("p", { class: "sw-training-teach" });
    const pairs = figure("Reconstructions", `${model.get("noun")} x above, x̂ below`, "Good: shape, brightness and lesions survive; fine texture need not.");
    const walks = figure("Latent traversals", "each row along one axis", "From low to high, the other axes at their mean. Good: each row changes something you can name.");
    el.append(cards.vae.node, cards.unet.node, teach, pairs.node, walks.node);

    function card(key, title, step, color, y) {
      const sign = element("span", { class: "sw-training-sign", "aria-hidden": "true" });
      const words = element("span", { class: "sw-training-words sw-number" });
      const go = element("button", { onclick: () => model.send({ do: step }) });
      const stop = element("button", { title: "Stop after this batch; what is finished is kept", onclick: () => model.send({ do: "stop" }) }, "■ Stop");
      const bar = element("div", { class: "sw-training-bar" }, element("span"));
      const host = element("div", { class: "sw-training-plot" });
      const node = element("section", { class: "sw-training-card", "aria-label": title },
        element("div", { class: "sw-training-head" }, element("h3", {}, title), go, stop),
        element("div", { class: "sw-training-state", role: "status" }, sign, words), bar, host);
      return { node, sign, words, go, stop, bar, step, color, y, title, plot: chart.make(host) };
    }

    function figure(title, short, more) {
      const words = `${short}. ${more}`;
      const image = element("div", { class: "sw-training-sheet", role: "img", "aria-label": `${title}. ${words}` });
      const rows = element("div", { class: "sw-training-rows" });
      const node = element("figure", {}, element("figcaption", { title: words }, element("h3", {}, title), element("span", { class: "sw-soft" }, short)),
        element("div", { class: "sw-training-frame" }, rows, image));
      return { node, image, rows, url: "" };
    }

    function showStates() {
      const running = model.get("running");
      for (const [key, part] of Object.entries(cards)) {
        const state = model.get(key);
        part.node.dataset.state = state.state;
        part.sign.textContent = { "not started": "○", running: "◔", ready: "✓", stale: "↻", failed: "✕" }[state.state] ?? "";
        part.words.textContent = state.words ?? "";
        part.words.title = state.words ?? "";
        part.go.textContent = state.button ?? "";
        part.go.disabled = !state.enabled;
        part.go.title = state.why ?? "";
        part.go.hidden = running === part.step;
        part.stop.hidden = running !== part.step;
        part.stop.disabled = model.get("stopping");
        part.bar.style.visibility = state.fraction >= 0 ? "visible" : "hidden";
        part.bar.firstChild.style.width = `${100 * Math.max(state.fraction, 0)}%`;
      }
      teach.textContent = model.get("teach");
      teach.hidden = !model.get("teach");
    }

    function showLosses() {
      for (const [key, part] of Object.entries(cards)) {
        const flat = sw.array(Float32Array, model.get(`${key}_loss`));
        const points = [];
        for (let i = 0; i < flat.length; i += 2) points.push([flat[i], flat[i + 1]]);
        // the first steps are far above the rest: they would flatten the curve
        const sorted = points.map((p) => p[1]).filter(Number.isFinite).sort((a, b) => a - b);
        const top = sorted.length > 40 ? sorted[Math.floor(0.985 * sorted.length)] : undefined;
        const low = sorted[0];
        part.plot.draw({
          name: `${part.title}: loss against training steps`,
          series: [{ name: "loss", color: part.color, width: 1.5, points: top === undefined ? points : points.map((p) => [p[0], Math.min(p[1], top * 1.1)]) }],
          x: { title: "training step", min: 0, whole: true },
          y: { title: part.y, min: key === "unet" || (low >= 0 && low < 0.4 * (top ?? low)) ? 0 : undefined },
          empty: "The loss is drawn here while it trains.",
          format: { x: (v) => `step ${Math.round(v).toLocaleString("en-US")}`, y: (v) => sw.number(v, 3) },
        });
      }
    }

    function showSheet(part, name) {
      const bytes = model.get(name);
      URL.revokeObjectURL(part.url);
      part.node.hidden = !bytes || !bytes.byteLength;
      if (part.node.hidden) return;
      part.url = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
      const [columns, rows, aspect] = model.get(`${name}_shape`);
      part.image.style.backgroundImage = `url(${part.url})`;
      part.image.style.aspectRatio = String(columns * aspect / rows);
      part.image.style.maxHeight = `${rows * 110}px`;
      const labels = name === "pairs" ? ["x", "x̂"] : Array.from({ length: rows }, (_, i) => `z${i + 1}`);
      part.rows.replaceChildren(...labels.slice(0, rows).map((text) => element("span", {}, text)));
    }

    for (const name of ["vae", "unet", "running", "stopping", "teach"]) model.on(`change:${name}`, showStates);
    for (const name of ["vae_loss", "unet_loss"]) model.on(`change:${name}`, showLosses);
    model.on("change:pairs", () => showSheet(pairs, "pairs"));
    model.on("change:pairs_shape", () => showSheet(pairs, "pairs"));
    model.on("change:walks", () => showSheet(walks, "walks"));
    model.on("change:walks_shape", () => showSheet(walks, "walks"));
    sw.shield(el);
    showStates(); showLosses(); showSheet(pairs, "pairs"); showSheet(walks, "walks");
    const seen = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) { seen.disconnect(); model.send({ do: "visible" }); }
    });
    seen.observe(el);
    return () => {
      seen.disconnect();
      for (const part of Object.values(cards)) part.plot.stop();
      for (const part of [pairs, walks]) URL.revokeObjectURL(part.url);
    };
  },
};
