export default {
  render({ model, el }) {
    const { element } = sw;
    el.classList.add("sw", "sw-cohort");
    const noun = model.get("noun");
    const words = ["free", "labeled", "suggested", "without label"];
    const heading = element("h3");
    const groups = element("dl", { class: "sw-cohort-groups" });
    const labels = element("ul", { class: "sw-cohort-labels", "aria-label": "Labels" });
    const table = element("tbody");
    const list = element("div", { class: "sw-cohort-cases" },
      element("table", {},
        element("thead", {}, element("tr", {}, ...["Case", "Site", "Use", `${noun[0].toUpperCase()}${noun.slice(1)}s`, "Labeled"].map((name, i) => element("th", { scope: "col", class: i > 2 ? "sw-right" : null }, name)))),
        table));
    const note = element("p", { class: "sw-cohort-note" });
    const caption = element("div", { class: "sw-cohort-caption" });
    const grid = element("div", { class: "sw-cohort-grid", role: "listbox", "aria-label": `The ${noun}s to choose from` });
    const where = element("details", { class: "sw-cohort-where" }, element("summary", {}, "Where do my data go?"), element("p"));
    const problems = element("details", { class: "sw-cohort-problems" }, element("summary"), element("ul"));
    el.append(
      element("div", { class: "sw-cohort-left" }, heading, groups, labels, list, problems, where),
      element("div", { class: "sw-cohort-right" }, caption, note, grid));
    let url = "";
    let tiles = [];
    let wasEmpty = null;

    function showHead() {
      heading.textContent = model.get("heading");
      groups.replaceChildren(...model.get("groups").flatMap((group) => [
        element("dt", {}, group.name),
        element("dd", {}, element("b", { class: "sw-number" }, group.count), element("span", { class: "sw-soft" }, ` ${group.note}`)),
      ]));
      labels.replaceChildren(
        ...model.get("labels").map((label) => element("li", {},
          element("i", { class: `sw-swatch sw-hatch-${label.pattern}`, style: `--swatch:${label.color}`, "aria-hidden": "true" }), `${label.name} (${label.value})`)),
        ...model.get("regions").map((region) => element("li", { class: "sw-soft", title: `the union of: ${region.members}` }, `${region.name} = ${region.members}`)));
      where.lastChild.textContent = model.get("where");
      const empty = !model.get("groups").length;
      if (empty !== wasEmpty) { wasEmpty = empty; where.open = empty; } // closed once data are there
      const found = model.get("problems");
      problems.hidden = !found.length;
      problems.firstChild.textContent = `${sw.count(found.length, "thing", "things")} to know about these files`;
      problems.lastChild.replaceChildren(...found.map((line) => element("li", {}, line)));
    }

    // Long names that begin alike are told apart by their ends: show those.
    function shared(ids) {
      if (ids.length < 2 || Math.max(...ids.map((id) => id.length)) < 16) return 0;
      let n = 0;
      while (ids.every((id) => n < id.length - 4 && id[n] === ids[0][n])) n += 1;
      return n > 4 ? n : 0;
    }
    const lines = new Map();
    function showCases() {
      const cases = model.get("cases");
      list.hidden = !cases.length;
      const chosen = model.get("chosen");
      const cut = shared(cases.map((item) => item.id));
      const rows = cases.map((item) => {
        const use = item.group === "pool" && !item.reference ? "pool, no label" : item.group;
        const pick = element("button", { class: "sw-quiet", "aria-pressed": String(item.id === chosen), title: item.id, onclick: () => model.send({ do: "case", id: item.id }) }, cut ? `…${item.id.slice(cut)}` : item.id);
        const suggested = item.suggested ? element("span", { class: "sw-cohort-star", title: `${item.suggested} suggested` }, ` ★ ${item.suggested}`) : null;
        const row = element("tr", { class: item.id === chosen ? "sw-on" : null },
          element("td", {}, pick, element("span", { class: "sw-cohort-below sw-soft" }, [item.site, use].filter(Boolean).join(" · "))), element("td", {}, item.site), element("td", {}, use),
          element("td", { class: "sw-right sw-number" }, item.images ? item.images.toLocaleString("en-US") : "–"),
          element("td", { class: "sw-right sw-number" }, item.images ? String(item.labeled) : "–", suggested));
        row.addEventListener("click", (event) => { if (event.target !== pick) model.send({ do: "case", id: item.id }); });
        lines.set(item.id, row);
        return row;
      });
      const focused = table.contains(document.activeElement) ? document.activeElement.title : null;
      table.replaceChildren(...rows);
      if (focused !== null) lines.get(focused)?.querySelector("button").focus();
    }

    function showTiles() {
      URL.revokeObjectURL(url);
      const bytes = model.get("thumbnails");
      note.textContent = model.get("note");
      note.hidden = !note.textContent;
      caption.textContent = model.get("chosen");
      tiles = [];
      if (!bytes || !bytes.byteLength) { grid.replaceChildren(); return; }
      url = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
      const [columns, width, height] = model.get("tile");
      const rows = sw.array(Int32Array, model.get("rows"));
      const sheetRows = Math.ceil(rows.length / columns);
      const aspect = model.get("aspect")[0] || width / height;
      const shown = 58;
      tiles = [...rows].map((row, i) => {
        const picture = element("span", { class: "sw-cohort-picture", style:
          `width:${shown}px;height:${shown / aspect}px;background-image:url(${url});` +
          `background-size:${columns * 100}% ${sheetRows * 100}%;` +
          `background-position:${columns > 1 ? 100 * (i % columns) / (columns - 1) : 0}% ${sheetRows > 1 ? 100 * Math.floor(i / columns) / (sheetRows - 1) : 0}%` });
        return element("button", { class: "sw-cohort-tile", role: "option", "data-row": row, tabindex: -1, onclick: () => model.send({ do: "inspect", row }) },
          picture, element("span", { class: "sw-cohort-number sw-number" }));
      });
      grid.replaceChildren(...tiles);
      showStates();
      reveal();
    }

    function showStates() {
      const states = sw.array(Uint8Array, model.get("states"));
      const names = model.get("names");
      const current = model.get("current");
      let counts = [0, 0, 0, 0];
      let focusable = 0;
      tiles.forEach((tile, i) => {
        const on = Number(tile.dataset.row) === current;
        counts[states[i] ?? 0] += 1;
        tile.dataset.state = words[states[i] ?? 0];
        tile.setAttribute("aria-selected", String(on));
        tile.setAttribute("aria-label", `${names[i]}, ${tile.dataset.state}`);
        tile.title = `${names[i]} · ${tile.dataset.state}`;
        tile.lastChild.textContent = { labeled: "■", suggested: "★", "without label": "∅" }[tile.dataset.state] ?? "";
        tile.tabIndex = -1;
        if (on) focusable = i;
      });
      if (tiles.length) tiles[focusable].tabIndex = 0;
      sw.put(caption, element("b", {}, noun === "volume" && tiles.length ? "The pool" : model.get("chosen")),
        tiles.length ? element("div", { class: "sw-number" }, `${sw.count(tiles.length, noun, `${noun}s`)} · ■ ${counts[1]} labeled · ★ ${counts[2]} suggested`) : null);
    }

    // Bring the chosen case and the inspected slice into view, without moving the page.
    function reveal() {
      const show = (box, node) => {
        if (!node || !box.clientHeight) return;
        const [outer, inner] = [box.getBoundingClientRect(), node.getBoundingClientRect()];
        if (inner.top < outer.top + 24 || inner.bottom > outer.bottom) box.scrollTop += inner.top - outer.top - (outer.height - inner.height) / 2;
      };
      show(list, lines.get(model.get("chosen")));
      show(grid, tiles.find((tile) => tile.getAttribute("aria-selected") === "true"));
    }

    grid.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: perLine(), ArrowUp: -perLine() }[event.key];
      const at = tiles.indexOf(document.activeElement);
      if (!step || at < 0) return;
      event.preventDefault();
      tiles[Math.min(Math.max(at + step, 0), tiles.length - 1)].focus();
    });
    function perLine() {
      return Math.max(1, tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length);
    }

    for (const name of ["heading", "where", "groups", "labels", "regions", "problems"]) model.on(`change:${name}`, showHead);
    model.on("change:cases", showCases);
    model.on("change:chosen", () => { showCases(); reveal(); });
    for (const name of ["thumbnails", "note"]) model.on(`change:${name}`, showTiles);
    for (const name of ["states", "current"]) model.on(`change:${name}`, () => { showStates(); reveal(); });
    sw.shield(el);
    showHead(); showCases(); showTiles();
    let asked = false;
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      if (!asked) model.send({ do: "visible" });
      asked = true;
      reveal();
    });
    seen.observe(el);
    return () => { seen.disconnect(); URL.revokeObjectURL(url); };
  },
};
