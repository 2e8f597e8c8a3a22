// Elements are made here and nowhere else: texts of users go through textContent, so markup in them stays text.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "vars") for (const [key, each] of Object.entries(value)) node.style.setProperty(key, each);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child !== undefined && child !== null && child !== false) node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

/** Make an HTML element. `on...` attributes are listeners, `vars` sets style properties, null and false are left out. */
export function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an SVG element. */
export function svgEl(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Only http and https addresses become links; a `javascript:` address in the data stays text. */
export function outward(text, address) {
  if (!/^https?:\/\//.test(address)) return el("span", null, text);
  return el("a", { href: address, rel: "noopener noreferrer", target: "_blank", class: "outward" }, text, el("span", { class: "sr" }, " (opens a web page)"));
}

let counter = 0;

/** Return an id that is unique in the page. */
export function uniqueId(stem) {
  counter += 1;
  return `${stem}-${counter}`;
}

/** Say a text to screen readers. */
export function announce(text) {
  document.getElementById("live").textContent = text;
}

let tipAnchor = null;

export function hideTip() {
  document.getElementById("tip").hidden = true;
  tipAnchor?.removeAttribute("aria-describedby");
  tipAnchor = null;
}

/** Show a short text next to a node, or at a point of it. */
export function showTip(text, node, point) {
  const tip = document.getElementById("tip");
  hideTip();
  tip.textContent = text;
  tip.hidden = false;
  if (node.matches("[data-describe]")) {
    node.setAttribute("aria-describedby", "tip");
    tipAnchor = node;
  }
  const box = point ? { left: point.x, width: 0, top: point.y, bottom: point.y + 12 } : node.getBoundingClientRect();
  const left = Math.min(Math.max(box.left + box.width / 2 - tip.offsetWidth / 2, 6), document.documentElement.clientWidth - tip.offsetWidth - 6);
  tip.style.setProperty("left", `${left}px`);
  tip.style.setProperty("top", `${box.top > tip.offsetHeight + 14 ? box.top - tip.offsetHeight - 8 : box.bottom + 8}px`);
}

/** One set of listeners serves every element with a `data-tip`. */
export function watchTips(root) {
  const show = (event) => {
    const node = event.target.closest?.("[data-tip]");
    if (node) showTip(node.dataset.tip, node);
  };
  root.addEventListener("pointerover", show);
  root.addEventListener("focusin", show);
  root.addEventListener("pointerout", (event) => { if (event.target.closest?.("[data-tip]")) hideTip(); });
  root.addEventListener("focusout", hideTip);
  root.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
  addEventListener("scroll", hideTip, { passive: true, capture: true });
}
