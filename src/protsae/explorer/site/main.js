// The shell: head, routes, states while loading and when something is broken.
import { atlas, openAtlas } from "./atlas.js";
import { aboutPage, savedPage } from "./about.js";
import { comparePage } from "./compare.js";
import { conceptPage } from "./concept.js";
import { announce, el, hideTip, watchTips } from "./dom.js";
import { latentPage } from "./latent.js";
import { conceptsPage, latentsPage, proteinsPage } from "./lists.js";
import { overviewPage } from "./overview.js";
import { copyText, notice } from "./panel.js";
import { predictionPage } from "./prediction.js";
import { proteinPage } from "./protein.js";
import { parseRoute } from "./route.js";
import { readSaved, writeSaved } from "./saved.js";
import { steeringPage } from "./steering.js";
import { searchBox, searchPage } from "./searchbox.js";
import { receive } from "./store.js";

const PAGES = { overview: overviewPage, latents: latentsPage, latent: latentPage, concepts: conceptsPage, concept: conceptPage, proteins: proteinsPage, protein: proteinPage, compare: comparePage, prediction: predictionPage, steering: steeringPage, about: aboutPage, saved: savedPage, search: searchPage };
const MENU = [["overview", "Overview"], ["latents", "Latents", "latent"], ["concepts", "Concepts", "concept"], ["proteins", "Proteins", "protein"], ["compare", "Compare"], ["prediction", "Prediction"], ["steering", "Steering"], ["saved", "Saved"], ["about", "About"]];

let present = null;
let turn = 0;
const places = new Map(); // where the reader was in each view, so that back returns there

function bookmark() {
  const button = el("button", { type: "button", class: "bookmark" });
  const own = () => readSaved().find((entry) => entry.hash === location.hash);
  const show = () => {
    button.setAttribute("aria-pressed", String(Boolean(own())));
    button.replaceChildren(own() ? "★" : "☆", el("span", { class: "bookmark-text" }, own() ? " Saved" : " Bookmark"));
    button.setAttribute("aria-label", own() ? "Remove the bookmark of this view" : "Bookmark this view");
  };
  button.addEventListener("click", () => {
    const entries = readSaved();
    const kept = own() ? entries.filter((entry) => entry.hash !== location.hash) : [{ hash: location.hash, title: present?.title ?? "View", note: "", run: atlas.index?.run ?? "", at: new Date().toISOString() }, ...entries];
    const stored = writeSaved(kept);
    show();
    announce(stored ? "Done" : "Kept for this visit only: the browser stores nothing for this page");
  });
  addEventListener("viewchange", show);
  return { button, show };
}

function failure(error) {
  return el("div", { class: "page" }, el("h1", null, "This view cannot be shown"), notice(error.message), el("p", { class: "actions" }, el("button", { type: "button", class: "button", onclick: () => render() }, "Try again"), el("a", { class: "button", href: "#/overview" }, "Overview")));
}

async function render() {
  turn += 1;
  const own = turn;
  const main = document.getElementById("main");
  const route = parseRoute(location.hash);
  const name = route.path[0] ?? "overview";
  hideTip();
  for (const link of document.querySelectorAll(".menu a")) {
    if (link.dataset.pages.split(" ").includes(name)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  main.setAttribute("aria-busy", "true");
  const slow = setTimeout(() => main.replaceChildren(el("div", { class: "page" }, el("p", { class: "loading", role: "status" }, "Loading …"))), 250);
  let page;
  try {
    await openAtlas();
    page = PAGES[name] ? await PAGES[name](route) : { title: "No such page", node: el("div", null, el("h1", null, "No such page"), el("p", null, el("a", { href: "#/overview" }, "Go to the overview"))) };
  } catch (error) {
    page = { title: "Broken", node: failure(error), bare: true };
  } finally {
    clearTimeout(slow);
  }
  if (own !== turn) {
    page.stop?.();
    return; // the reader has gone on
  }
  present?.stop?.();
  present = page;
  main.replaceChildren(page.bare ? page.node : el("div", { class: "page" }, page.node));
  main.removeAttribute("aria-busy");
  page.ready?.();
  document.title = `${page.title} · protsae explorer`;
  shell.mark.show();
  scrollTo({ top: places.get(location.href) ?? 0, behavior: "instant" });
  if (shell.moved) {
    main.focus({ preventScroll: true });
    announce(page.title);
  }
  shell.moved = true;
  document.documentElement.dataset.view = String(turn); // tests wait for it
}

const shell = { mark: null, moved: false };

function start() {
  const { node: search, input } = searchBox();
  shell.mark = bookmark();
  const link = el("button", { type: "button", class: "bookmark copy-link", onclick: async () => {
    await copyText(location.href);
    link.textContent = "Copied";
    announce("The address of this view is on the clipboard");
    setTimeout(() => { link.textContent = "Copy link"; }, 1500);
  } }, "Copy link");
  const menu = el("ul", { class: "menu" }, MENU.map(([page, text, single]) => el("li", null, el("a", { href: `#/${page}`, "data-pages": single ? `${page} ${single}` : page }, text))));
  document.getElementById("top").append(
    el("div", { class: "page top-row" }, el("a", { href: "#/overview", class: "brand" }, el("span", { class: "mark", "aria-hidden": "true" }), "protsae explorer"), search, link, shell.mark.button),
    el("nav", { "aria-label": "Pages" }, el("div", { class: "page" }, menu)));
  watchTips(document.body);
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the hash is the route
    document.getElementById("main").focus();
  });
  addEventListener("hashchange", (event) => {
    if (event.oldURL) places.set(event.oldURL, shell.scroll ?? 0);
    render();
  });
  addEventListener("scroll", () => { shell.scroll = scrollY; }, { passive: true });
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    event.preventDefault();
    input.focus();
    input.select();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", render);
  render();
}

globalThis.protsaeData = receive;
start();
