// Figures are drawn once, by functions of a painter: on the page as SVG, in files as SVG or, over a canvas, as PNG.
import { svgEl } from "./dom.js";

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
const MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace";

/** Colours of files: those of the light page, on white. */
const PAPER = { ink: "#16202c", muted: "#566372", line: "#dde2e8", panel: "#ffffff", track: "#e6eaef", accent: "#0064a0", heat: "#0072b2" };

/** Colours of the page as it is shown now. */
export function pageColours() {
  const style = getComputedStyle(document.documentElement);
  const whole = (colour) => (/^#[0-9a-f]{3}$/i.test(colour) ? colour.replace(/[0-9a-f]/gi, "$&$&") : colour);
  return Object.fromEntries(Object.keys(PAPER).map((name) => [name, whole(style.getPropertyValue(`--${name}`).trim()) || PAPER[name]]));
}

/** Colours of dictionaries by position and of groups, those of Okabe and Ito first. */
export const OKABE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#7f7f1f", "#c2185b", "#56b4e9"];

// Viridis, nine steps: the same order for every common colour blindness, and in grey.
const VIRIDIS = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];

/** A colour of the ordered scale for a share between 0 and 1. */
export function ordered(share) {
  const at = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
  const channel = (index) => Math.round(VIRIDIS[low][index] + (at - low) * (VIRIDIS[low + 1][index] - VIRIDIS[low][index]));
  return `rgb(${channel(0)}, ${channel(1)}, ${channel(2)})`;
}

/** Mix two colours `#rrggbb`: 0 is the first. */
export function mix(first, second, share) {
  const channel = (colour, at) => Number.parseInt(colour.slice(at, at + 2), 16);
  const part = (at) => Math.round(channel(first, at) + share * (channel(second, at) - channel(first, at)));
  return `rgb(${part(1)}, ${part(3)}, ${part(5)})`;
}

/** Black or white, whichever can be read on `rgb(…)` of mix and ordered. */
export function inkOn(colour) {
  const linear = colour.match(/\d+/g).map((text) => {
    const value = Number(text) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 ? "#000000" : "#ffffff";
}

class SvgPainter {
  constructor(width, height, label) {
    this.root = svgEl("svg", { xmlns: "http://www.w3.org/2000/svg", width, height, viewBox: `0 0 ${width} ${height}`, role: label ? "img" : undefined, "aria-label": label });
    this.at = this.root;
  }

  #add(tag, attributes, { tip, href } = {}, ...children) {
    const node = svgEl(tag, { ...attributes, "data-tip": tip }, ...children);
    if (href) this.at.append(svgEl("a", { href, "aria-label": tip }, node));
    else this.at.append(node);
  }

  rect(x, y, width, height, fill, more = {}) {
    this.#add("rect", { x, y, width: Math.max(width, 0), height: Math.max(height, 0), fill, rx: more.radius, "fill-opacity": more.opacity, stroke: more.stroke }, more);
  }

  circle(x, y, radius, fill, more = {}) {
    this.#add("circle", { cx: x, cy: y, r: radius, fill, "fill-opacity": more.opacity, stroke: more.stroke }, more);
  }

  line(points, stroke, more = {}) {
    this.#add("polyline", { points: points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "), fill: "none", stroke, "stroke-width": more.width ?? 1, "stroke-dasharray": more.dash?.join(" "), "stroke-linejoin": "round" }, more);
  }

  text(x, y, text, fill, more = {}) {
    this.#add("text", { x, y, fill, "font-size": more.size ?? 12, "font-family": more.mono ? MONO : FONT, "font-weight": more.weight, "text-anchor": more.anchor, transform: more.turn ? `rotate(${more.turn} ${x} ${y})` : undefined }, more, text);
  }

  /** A letter that fills a box, as in a logo. */
  glyph(x, y, width, height, letter, fill, more = {}) {
    this.#add("text", { "font-size": 100, "font-family": "Arial, Helvetica, sans-serif", "font-weight": 700, fill, textLength: 100, lengthAdjust: "spacingAndGlyphs", transform: `translate(${x} ${y + height}) scale(${width / 100} ${height / 72})` }, more, letter);
  }
}

/** Draws on a canvas. */
export class CanvasPainter {
  constructor(context) {
    this.context = context;
  }

  rect(x, y, width, height, fill, more = {}) {
    this.context.globalAlpha = more.opacity ?? 1;
    this.context.fillStyle = fill;
    if (fill !== "none") this.context.fillRect(x, y, width, height);
    if (more.stroke) {
      this.context.strokeStyle = more.stroke;
      this.context.strokeRect(x, y, width, height);
    }
    this.context.globalAlpha = 1;
  }

  circle(x, y, radius, fill, more = {}) {
    this.context.globalAlpha = more.opacity ?? 1;
    this.context.fillStyle = fill;
    this.context.beginPath();
    this.context.arc(x, y, radius, 0, 2 * Math.PI);
    if (fill !== "none") this.context.fill();
    if (more.stroke) {
      this.context.strokeStyle = more.stroke;
      this.context.stroke();
    }
    this.context.globalAlpha = 1;
  }

  line(points, stroke, more = {}) {
    this.context.strokeStyle = stroke;
    this.context.lineWidth = more.width ?? 1;
    this.context.setLineDash(more.dash ?? []);
    this.context.beginPath();
    points.forEach(([x, y], index) => (index === 0 ? this.context.moveTo(x, y) : this.context.lineTo(x, y)));
    this.context.stroke();
    this.context.setLineDash([]);
  }

  text(x, y, text, fill, more = {}) {
    this.context.save();
    this.context.translate(x, y);
    if (more.turn) this.context.rotate((more.turn * Math.PI) / 180);
    this.context.font = `${more.weight ?? 400} ${more.size ?? 12}px ${more.mono ? MONO : FONT}`;
    this.context.textAlign = { middle: "center", end: "right" }[more.anchor] ?? "left";
    this.context.fillStyle = fill;
    this.context.fillText(text, 0, 0);
    this.context.restore();
  }

  glyph(x, y, width, height, letter, fill) {
    this.context.save();
    this.context.font = "700 100px Arial, Helvetica, sans-serif";
    this.context.fillStyle = fill;
    this.context.translate(x, y + height);
    this.context.scale(width / this.context.measureText(letter).width, height / 72);
    this.context.fillText(letter, 0, 0);
    this.context.restore();
  }
}

/** A figure is {width, height, label, draw(painter, colours)}. Return it as an SVG element for the page. */
export function figureNode(figure) {
  const painter = new SvgPainter(figure.width, figure.height, figure.links ? null : figure.label);
  if (figure.links) {
    painter.root.setAttribute("role", "group");
    painter.root.setAttribute("aria-label", figure.label);
  }
  painter.root.setAttribute("class", "figure");
  figure.draw(painter, pageColours());
  return painter.root;
}

/** The figure as the text of an SVG file, on white. */
export function figureSvg(figure) {
  const painter = new SvgPainter(figure.width, figure.height, figure.label);
  painter.rect(0, 0, figure.width, figure.height, PAPER.panel);
  figure.draw(painter, PAPER);
  painter.root.querySelectorAll("[data-tip]").forEach((node) => node.removeAttribute("data-tip"));
  return new XMLSerializer().serializeToString(painter.root);
}

/** A canvas of `width` by `height` points, `scale` pixels per point, and its context. */
export function sizeCanvas(canvas, width, height, scale) {
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return context;
}

/** The figure as the blob of a PNG file, on white, three pixels per point. */
export function figurePng(figure) {
  const canvas = document.createElement("canvas");
  const scale = Math.min(3, 16000 / Math.max(figure.width, figure.height));
  const painter = new CanvasPainter(sizeCanvas(canvas, figure.width, figure.height, scale));
  painter.rect(0, 0, figure.width, figure.height, PAPER.panel);
  figure.draw(painter, PAPER);
  return new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
}
