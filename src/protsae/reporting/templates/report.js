"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };

  // Figures, one after the other so that the page stays responsive, in the colours of the page.
  const figures = read("figure-data");
  const nodes = [...document.querySelectorAll("[data-figure]")];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const themed = () => {
    const ink = dark.matches ? "#c9d3dd" : "#374151";
    const panel = dark.matches ? "#161d26" : "#ffffff";
    return { "font.color": ink, paper_bgcolor: "rgba(0,0,0,0)", "hoverlabel.bgcolor": panel, "hoverlabel.font.color": ink };
  };
  const draw = async () => {
    for (const node of nodes) {
      const { data, layout } = figures[node.dataset.figure];
      await Plotly.newPlot(node, data, layout, { responsive: true, displayModeBar: false });
      await Plotly.relayout(node, themed());
    }
  };
  draw();
  dark.addEventListener("change", () => nodes.forEach((node) => Plotly.relayout(node, themed())));

  // Sorting: numbers by value, texts by name; empty cells last in both directions.
  const compare = (a, b, direction) => {
    if (a === b) return 0;
    if (a === "") return 1;
    if (b === "") return -1;
    const [x, y] = [Number(a), Number(b)];
    const order = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
    return order * direction;
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      heading.querySelector("button").addEventListener("click", () => {
        const first = heading.classList.contains("number") ? "descending" : "ascending";
        const other = first === "ascending" ? "descending" : "ascending";
        const next = heading.getAttribute("aria-sort") === first ? other : first;
        headings.forEach((each) => each.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", next);
        const direction = next === "ascending" ? 1 : -1;
        const value = (row) => row.cells[column].dataset.value;
        const rows = [...table.tBodies[0].rows].sort((a, b) => compare(value(a), value(b), direction));
        table.tBodies[0].append(...rows);
      });
    });
  }

  // Search: every word must occur.
  const matches = (text, query) => query.toLowerCase().split(/\s+/).every((word) => text.includes(word));
  const count = (id, shown, all) => {
    document.querySelector(`[data-count="${id}"]`).textContent = shown === all ? `${all}` : `${shown} of ${all}`;
  };
  const strips = read("strip-data");
  const conceptRows = [...document.querySelectorAll("#concept-table tbody tr")];
  const conceptTexts = conceptRows.map((row) => row.textContent.toLowerCase());
  const conceptInput = document.querySelector('[data-filter="concept-table"]');
  const filterConcepts = () => {
    conceptRows.forEach((row, index) => { row.hidden = !matches(conceptTexts[index], conceptInput.value); });
    count("concept-table", conceptRows.filter((row) => !row.hidden).length, conceptRows.length);
  };
  conceptInput.addEventListener("input", filterConcepts);

  const grid = document.getElementById("cards");
  const cards = [...grid.children];
  // A search looks at the words of a card and at its proteins, which may not be drawn yet.
  const cardTexts = cards.map((card) => {
    const { examples } = strips[card.dataset.card] ?? { examples: [] };
    return [card.textContent, ...examples.map((example) => example.id)].join(" ").toLowerCase();
  });
  const cardInput = document.querySelector('[data-filter="cards"]');
  const kind = document.querySelector('[data-kind="cards"]');
  const order = document.querySelector('[data-sort="cards"]');
  const filterCards = () => {
    cards.forEach((card, index) => {
      const wanted = !kind.value || card.dataset.kind === kind.value;
      card.hidden = !(wanted && matches(cardTexts[index], cardInput.value));
    });
    const shown = cards.filter((card) => !card.hidden).length;
    count("cards", shown, cards.length);
    document.querySelector('[data-empty="cards"]').hidden = shown > 0;
  };
  cardInput.addEventListener("input", filterCards);
  kind.addEventListener("change", filterCards);
  order.addEventListener("change", () => {
    const key = order.value;
    const direction = key === "name" ? 1 : -1;
    const value = (card) => (key === "name" ? card.querySelector(".card-name").textContent.toLowerCase() : card.dataset[key]);
    grid.append(...[...cards].sort((a, b) => compare(value(a), value(b), direction)));
  });
  filterConcepts();
  filterCards();

  // Heat strips: made when a card is opened; one shared tip shows residue, position and value.
  const tip = document.getElementById("tip");
  let pointed = null;
  const hideTip = () => {
    tip.hidden = true;
    if (pointed) pointed.classList.remove("at");
    pointed = null;
  };
  const showTip = (cell) => {
    hideTip();
    pointed = cell;
    cell.classList.add("at");
    tip.textContent = cell.dataset.tip;
    tip.hidden = false;
    const box = cell.getBoundingClientRect();
    const left = Math.min(Math.max(box.left + box.width / 2 - tip.offsetWidth / 2, 4), innerWidth - tip.offsetWidth - 4);
    tip.style.left = `${left}px`;
    tip.style.top = `${box.top > 44 ? box.top - tip.offsetHeight - 6 : box.bottom + 6}px`;
  };
  const peakValue = (example) => example.acts[example.peak - example.start];
  const residueRow = (example, full) => {
    const row = make("div", "residues-row");
    row.tabIndex = 0;
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", `Residues ${example.start} to ${example.start + example.seq.length - 1} of ${example.id}, strongest at ${example.peak} with ${peakValue(example)}. Arrow keys read single residues.`);
    [...example.seq].forEach((letter, index) => {
      const position = example.start + index;
      const part = full > 0 ? Math.min(example.acts[index] / full, 1) : 0;
      // Where black or white letters have the better contrast, in light (hot) and in dark (warm) colours.
      const cell = make("span", part > 0.94 ? "hot" : part > 0.63 ? "warm" : "", letter);
      if (position === example.peak) cell.classList.add("peak");
      cell.style.setProperty("--heat-part", part.toFixed(3));
      cell.dataset.tip = `${letter} ${position}: ${example.acts[index]}`;
      row.append(cell);
    });
    let at = -1;
    row.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      at = at < 0 ? example.peak - example.start : Math.min(Math.max(at + step, 0), row.children.length - 1);
      showTip(row.children[at]);
    });
    row.addEventListener("blur", () => { at = -1; hideTip(); });
    row.addEventListener("pointerover", (event) => { if (event.target !== row) showTip(event.target); });
    row.addEventListener("pointerleave", hideTip);
    return row;
  };
  const strip = (example, full) => {
    const line = make("div", "strip");
    const who = make("div", "strip-who");
    if (example.link) {
      const link = make("a", "", example.id);
      link.href = `https://www.uniprot.org/uniprotkb/${example.id}/entry`;
      link.rel = "noopener";
      who.append(link);
    } else {
      who.append(make("b", "", example.id));
    }
    if (example.has !== null) {
      who.append(" ", make("span", example.has ? "has" : "quiet", example.has ? "annotated" : "not annotated"));
    }
    who.append(make("small", "", `${example.split}, peak ${peakValue(example)} at residue ${example.peak}`));
    if (example.about) who.append(make("span", "strip-about", example.about));
    const row = make("div", "strip-row");
    row.append(make("span", "edge", `${example.start}`), residueRow(example, full), make("span", "edge", `${example.start + example.seq.length - 1}`));
    line.append(who, row);
    return line;
  };
  const fill = (card) => {
    const holder = card.querySelector("[data-strips]");
    if (!card.open || !holder || holder.firstChild) return;
    const { full, examples } = strips[holder.dataset.strips];
    holder.append(...examples.map((example) => strip(example, full)));
  };
  grid.addEventListener("toggle", (event) => fill(event.target), true);
  cards.forEach(fill);
  addEventListener("scroll", hideTip, { passive: true });

  // The section in view is marked in the navigation.
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const spy = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      links.forEach((link) => link.removeAttribute("aria-current"));
      links.get(entry.target.id).setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-30% 0px -65% 0px" });
  document.querySelectorAll("main > section").forEach((section) => spy.observe(section));
})();
