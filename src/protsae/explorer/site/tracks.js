// A protein with tracks over it: concepts as spans, latents as heat; residues are chosen by brushing.
import { el, hideTip, showTip } from "./dom.js";
import { significant } from "./format.js";
import { CanvasPainter, mix, pageColours, sizeCanvas } from "./paint.js";
import { unpackTrack } from "./residues.js";
import { axisTicks } from "./charts.js";

const LINE = 24;

/** The figure of all lines. Lines are {label, href, colour, spans: [[start, end]]} or {label, href, colour, track}. */
export function trackFigure(lines, length, width, label, range) {
  const left = Math.min(190, width * 0.34);
  const x = (residue) => left + (residue / length) * (width - left - 8);
  return {
    width, height: lines.length * LINE + 34, label, left, x,
    residueAt: (at) => Math.min(Math.max(Math.floor(((at - left) / (width - left - 8)) * length), 0), length - 1),
    lineAt: (top) => Math.floor((top - 28) / LINE),
    draw(painter, colours) {
      const white = colours.panel;
      for (const tick of axisTicks(0, length, Math.max(Math.floor((width - left) / 90), 2))) {
        const at = Math.max(tick, 1);
        if (at > length) continue;
        painter.line([[x(at - 0.5), 20], [x(at - 0.5), lines.length * LINE + 30]], colours.line);
        painter.text(x(at - 0.5), 13, String(at), colours.muted, { size: 11, anchor: "middle" });
      }
      lines.forEach((line, index) => {
        const y = 28 + index * LINE;
        const fits = Math.floor((left - 10) / 6.9);
        painter.text(4, y + 15, line.label.length > fits ? `${line.label.slice(0, fits - 1)}…` : line.label, colours.ink, { size: 12 });
        painter.rect(left, y + 3, width - left - 8, LINE - 8, colours.track, { opacity: 0.45 });
        for (const [start, end] of line.spans ?? []) painter.rect(x(start), y + 3, Math.max(x(end) - x(start), 2), LINE - 8, line.colour);
        if (!line.track) return;
        // At most one rectangle per pixel: the strongest residue below it shows.
        const values = (line.values ??= unpackTrack(line.track, length));
        const columns = Math.min(length, Math.max(Math.floor(width - left - 8), 1));
        for (let column = 0; column < columns; column += 1) {
          const first = Math.floor((column * length) / columns);
          const last = Math.max(Math.floor(((column + 1) * length) / columns), first + 1);
          let peak = 0;
          for (let residue = first; residue < last; residue += 1) peak = Math.max(peak, values[residue]);
          if (peak > 0) painter.rect(x(first), y + 3, x(last) - x(first) + 0.4, LINE - 8, mix(white, line.colour, 0.2 + 0.8 * Math.min(peak / line.track.max, 1)));
        }
      });
      if (range) {
        painter.rect(x(range[0]), 18, x(range[1] + 1) - x(range[0]), lines.length * LINE + 12, colours.accent, { opacity: 0.14 });
        painter.line([[x(range[0]), 18], [x(range[0]), lines.length * LINE + 30]], colours.accent, { width: 2 });
        painter.line([[x(range[1] + 1), 18], [x(range[1] + 1), lines.length * LINE + 30]], colours.accent, { width: 2 });
      }
    },
  };
}

/**
 * The figure on a canvas, with brushing.
 *
 * @param lines as above; `range()` the chosen residues, 0-based and both included, or null; `onBrush(range)` hears of a new choice; `zoom()` how many times wider than the page.
 */
export function trackCanvas({ lines, length, label, range, onBrush, zoom, sequence }) {
  const canvas = el("canvas", { class: "track-canvas", role: "img", "aria-label": label });
  const holder = el("div", { class: "scroll track-holder", tabindex: 0, role: "region", "aria-label": label }, canvas);
  let figure = null;
  let frame = 0;
  const draw = () => {
    frame = 0;
    if (holder.clientWidth === 0) return;
    const width = Math.max(holder.clientWidth * zoom(), 300);
    figure = trackFigure(lines, length, width, label, range());
    const context = sizeCanvas(canvas, figure.width, figure.height, Math.min(devicePixelRatio || 1, 30000 / width));
    canvas.style.setProperty("width", `${figure.width}px`);
    canvas.style.setProperty("height", `${figure.height}px`);
    figure.draw(new CanvasPainter(context), pageColours());
  };
  const redraw = () => { frame ||= requestAnimationFrame(draw); };
  new ResizeObserver(redraw).observe(holder);

  let from = null;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    const [left, top] = place(event);
    if (left < figure.left) {
      const line = lines[figure.lineAt(top)];
      if (line?.href) location.hash = line.href;
      return;
    }
    from = figure.residueAt(left);
    try {
      canvas.setPointerCapture(event.pointerId);
    } catch { /* the pointer has gone already */ }
  });
  canvas.addEventListener("pointermove", (event) => {
    const [left, top] = place(event);
    const line = lines[figure.lineAt(top)];
    canvas.classList.toggle("pointing", left < figure.left && Boolean(line?.href));
    if (left < figure.left) {
      if (line) showTip(line.label, canvas, { x: event.clientX, y: event.clientY });
      else hideTip();
      return;
    }
    const at = figure.residueAt(left);
    if (from !== null) onBrush([Math.min(from, at), Math.max(from, at)]);
    const value = line?.values?.[at];
    showTip(`${sequence[at]}${at + 1}${line ? ` · ${line.label}` : ""}${value === undefined ? "" : `: ${significant(value)}`}`, canvas, { x: event.clientX, y: event.clientY });
  });
  const end = (event) => {
    if (from === null) return;
    const at = figure.residueAt(place(event)[0]);
    onBrush([Math.min(from, at), Math.max(from, at)], true);
    from = null;
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", () => { from = null; });
  canvas.addEventListener("pointerleave", hideTip);
  return { node: holder, redraw, figure: () => trackFigure(lines, length, 900, label, range()) };
}
