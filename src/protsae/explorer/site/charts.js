// Figures of scores. Each function returns {width, height, label, draw}; `paint.js` draws it.
import { fixed, integer, isKnown, significant } from "./format.js";
import { OKABE, mix } from "./paint.js";

/** Round steps for an axis. */
export function axisTicks(low, high, wanted = 5) {
  const raw = (high - low || 1) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= raw);
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) ticks.push(Number(tick.toPrecision(12)));
  return ticks;
}

/** Scores with their intervals, one line each: {label, value, low, high, floor (line), muted}; `bars`: from zero. */
export function dotPlot(rows, { label, reference, bars = false, width = 760 }) {
  const known = rows.flatMap((row) => [row.value, row.low, row.high]).filter(isKnown);
  const pad = 0.05 * (Math.max(...known) - Math.min(...known)) || 0.05;
  const [low, high] = [bars ? Math.min(0, ...known) : Math.min(...known, reference ?? Infinity) - pad, Math.max(...known, reference ?? -Infinity) + pad];
  const left = Math.min(250, width * 0.48);
  const fits = Math.floor((left - 14) / 6.6);
  const height = rows.length * 26 + 34;
  const x = (value) => left + ((value - low) / (high - low)) * (width - left - 60);
  return {
    width, height, label,
    draw(painter, colours) {
      for (const tick of axisTicks(low, high, 4)) {
        painter.line([[x(tick), 4], [x(tick), height - 26]], colours.line);
        painter.text(x(tick), height - 10, fixed(tick, 2), colours.muted, { size: 11, anchor: "middle" });
      }
      if (isKnown(reference)) painter.line([[x(reference), 4], [x(reference), height - 26]], colours.muted, { dash: [4, 3] });
      rows.forEach((row, index) => {
        const y = index * 26 + 18;
        const colour = row.muted ? colours.muted : (row.colour ?? colours.heat);
        painter.text(left - 12, y + 4, row.label.length > fits ? `${row.label.slice(0, fits - 1)}…` : row.label, colours.ink, { anchor: "end", size: 12 });
        if (bars && isKnown(row.value)) painter.rect(Math.min(x(0), x(row.value)), y - 8, Math.abs(x(row.value) - x(0)), 16, colour, { opacity: 0.45 });
        if (isKnown(row.low) && isKnown(row.high)) painter.line([[x(row.low), y], [x(row.high), y]], colour, { width: 2 });
        if (isKnown(row.value)) {
          painter.circle(x(row.value), y, 5, colour, { tip: `${row.label}: ${fixed(row.value)}${isKnown(row.low) ? ` (${fixed(row.low)} to ${fixed(row.high)})` : ""}` });
          painter.text(width - 4, y + 4, fixed(row.value), colours.ink, { anchor: "end", size: 12 });
        }
      });
    },
  };
}

/** Where the entries of a legend stand: {left, line}, in as many lines as they need. */
export function legendPlaces(labels, first, width) {
  let [left, line] = [first, 0];
  return labels.map((label) => {
    const wide = 40 + label.length * 6.4;
    if (left > first && left + wide > width) [left, line] = [first, line + 1];
    const place = { left, line };
    left += wide;
    return place;
  });
}

/** Curves of one quantity: {label, colour, x: [], y: [], dash}; `points`: each is marked, and its axis has fractions. */
export function lineChart(series, { label, xLabel, yLabel, points = false, width = 460, height = 240 }) {
  const xs = series.flatMap((each) => each.x);
  const ys = series.flatMap((each) => each.y).filter(isKnown);
  const [xLow, xHigh, yLow, yHigh] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const keys = legendPlaces(series.map((each) => each.label), 56, width);
  const top = 18 + 16 * ((keys.at(-1)?.line ?? 0) + 1);
  const x = (value) => 56 + ((value - xLow) / (xHigh - xLow || 1)) * (width - 72);
  const y = (value) => height - 40 - ((value - yLow) / (yHigh - yLow || 1)) * (height - 40 - top);
  return {
    width, height, label,
    draw(painter, colours) {
      for (const tick of axisTicks(yLow, yHigh, 4)) {
        painter.line([[56, y(tick)], [width - 16, y(tick)]], colours.line);
        painter.text(50, y(tick) + 4, significant(tick), colours.muted, { size: 11, anchor: "end" });
      }
      for (const tick of axisTicks(xLow, xHigh, 4)) painter.text(x(tick), height - 22, points ? significant(tick) : integer(tick), colours.muted, { size: 11, anchor: "middle" });
      painter.text((56 + width - 16) / 2, height - 5, xLabel, colours.muted, { size: 11, anchor: "middle" });
      painter.text(8, 12, yLabel, colours.muted, { size: 11 });
      series.forEach((each, which) => {
        const { left, line } = keys[which];
        painter.line(each.x.map((value, index) => [x(value), y(each.y[index])]).filter(([, height]) => Number.isFinite(height)), each.colour, { width: 2, dash: each.dash });
        if (points) each.x.forEach((value, index) => { if (isKnown(each.y[index])) painter.circle(x(value), y(each.y[index]), 4, each.colour, { tip: `${each.label} at ${significant(value)}: ${fixed(each.y[index])}` }); });
        painter.line([[left, 23 + 16 * line], [left + 22, 23 + 16 * line]], each.colour, { width: 2, dash: each.dash });
        painter.text(left + 27, 27 + 16 * line, each.label, colours.ink, { size: 11 });
      });
    },
  };
}

/** Bars over bins; `edges` holds one number more than `counts`. */
export function histogram(groups, { label, xLabel, format = significant, width = 460, height = 220 }) {
  const edges = groups[0].edges;
  const top = Math.max(...groups.flatMap((group) => group.counts)) || 1;
  const bins = edges.length - 1;
  const step = (width - 72) / bins;
  return {
    width, height, label,
    draw(painter, colours) {
      for (const tick of axisTicks(0, top, 3)) {
        const y = height - 40 - (tick / top) * (height - 74);
        painter.line([[56, y], [width - 16, y]], colours.line);
        painter.text(50, y + 4, top < 3 ? significant(tick) : integer(tick), colours.muted, { size: 11, anchor: "end" });
      }
      groups.forEach((group, which) => {
        group.counts.forEach((count, bin) => {
          const tall = (count / top) * (height - 74);
          const part = (step - 2) / groups.length;
          painter.rect(56 + bin * step + 1 + which * part, height - 40 - tall, Math.max(part, 1), tall, group.colour ?? colours.heat, { tip: `${group.label ? `${group.label}: ` : ""}${top < 3 ? significant(count) : integer(count)} between ${format(edges[bin])} and ${format(edges[bin + 1])}` });
        });
        if (group.label) {
          painter.rect(56 + which * 150, 14, 10, 10, group.colour);
          painter.text(71 + which * 150, 23, group.label, colours.ink, { size: 11 });
        }
      });
      const every = Math.ceil(edges.length / 6);
      edges.forEach((edge, index) => { if (index % every === 0) painter.text(56 + index * step, height - 22, format(edge), colours.muted, { size: 11, anchor: "middle" }); });
      painter.text((40 + width) / 2, height - 5, xLabel, colours.muted, { size: 11, anchor: "middle" });
    },
  };
}

export const LETTERS = "ACDEFGHIKLMNPQRSTVWY";
// Colours by chemistry, of Okabe and Ito: hydrophobic, aromatic, positive, negative, polar, special.
const CHEMISTRY = { A: 0, I: 0, L: 0, M: 0, V: 0, F: 3, W: 3, Y: 3, K: 7, R: 7, H: 7, D: 1, E: 1, N: 2, Q: 2, S: 2, T: 2, C: 4, G: 5, P: 5 };

/** A sequence logo from [window][20] bits; the middle column is the peak. */
export function logoFigure(bits, { label, width = 620, height = 170 }) {
  const middle = Math.floor(bits.length / 2);
  const step = (width - 46) / bits.length;
  const sums = bits.map((column) => column.reduce((sum, value) => sum + Math.max(value, 0), 0));
  const top = Math.max(...sums, 0.5);
  const tall = height - 44;
  return {
    width, height, label,
    draw(painter, colours) {
      for (const tick of axisTicks(0, top, 3)) {
        const y = 12 + tall - (tick / top) * tall;
        painter.line([[40, y], [width - 4, y]], colours.line);
        painter.text(34, y + 4, significant(tick), colours.muted, { size: 11, anchor: "end" });
      }
      painter.text(4, 10, "bits", colours.muted, { size: 11 });
      bits.forEach((column, position) => {
        let y = 12 + tall;
        const letters = column.map((value, index) => ({ value, letter: LETTERS[index] })).filter(({ value }) => value > 0.02 * top).sort((a, b) => a.value - b.value);
        for (const { value, letter } of letters) {
          const high = (value / top) * tall;
          y -= high;
          painter.glyph(40 + position * step + 0.08 * step, y, 0.84 * step, high, letter, OKABE[CHEMISTRY[letter]], { tip: `${letter} at ${position - middle >= 0 ? "+" : "−"}${Math.abs(position - middle)}: ${significant(value)} bits` });
        }
        const name = position === middle ? "peak" : position % 5 === middle % 5 ? `${position > middle ? "+" : "−"}${Math.abs(position - middle)}` : "";
        painter.text(40 + (position + 0.5) * step, height - 12, name, position === middle ? colours.ink : colours.muted, { size: 11, anchor: "middle" });
      });
    },
  };
}

/** Two scores per concept, one against the other: {x, y, label, href}. */
export function scatter(points, { label, xLabel, yLabel, size = 420 }) {
  const place = (value) => 56 + value * (size - 76);
  return {
    width: size, height: size, label, links: true,
    draw(painter, colours) {
      for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
        painter.line([[place(tick), 16], [place(tick), size - 60]], colours.line);
        painter.line([[56, size - 4 - place(tick)], [size - 20, size - 4 - place(tick)]], colours.line);
        painter.text(place(tick), size - 42, String(tick), colours.muted, { size: 11, anchor: "middle" });
        painter.text(50, size - place(tick), String(tick), colours.muted, { size: 11, anchor: "end" });
      }
      painter.line([[56, size - 60], [size - 20, 16]], colours.muted, { dash: [4, 3] });
      painter.text(size / 2 + 18, size - 22, xLabel, colours.ink, { size: 12, anchor: "middle" });
      painter.text(14, size / 2 - 22, yLabel, colours.ink, { size: 12, anchor: "middle", turn: -90 });
      for (const point of points) painter.circle(place(point.x), size - 4 - place(point.y), 4.5, point.colour ?? colours.heat, { opacity: 0.75, tip: point.label, href: point.href });
    },
  };
}

/** Windows as rows of letters over their activations: {name, seq, acts, start, peak}. `full` is the activation of the darkest colour. */
export function stripsFigure(windows, full, colour, label) {
  const longest = Math.max(...windows.map((each) => each.seq.length), 1);
  return {
    width: 170 + longest * 13, height: windows.length * 24 + 8, label,
    draw(painter, colours) {
      windows.forEach((each, index) => {
        const y = index * 24 + 4;
        painter.text(4, y + 15, `${each.name} ${each.start + 1}`, colours.muted, { size: 11 });
        [...each.seq].forEach((letter, at) => {
          const part = full > 0 ? Math.min((each.acts[at] ?? 0) / full, 1) : 0;
          if (part > 0) painter.rect(166 + at * 13, y, 13, 20, mix("#ffffff", colour, part));
          painter.text(166 + at * 13 + 6.5, y + 15, letter, part > 0.6 ? "#ffffff" : "#16202c", { size: 12, anchor: "middle", mono: true });
        });
      });
    },
  };
}
