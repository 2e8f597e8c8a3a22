// The 2-D map of all latents of a dictionary, on a canvas: pan, zoom, point, open.
import { announce, el, hideTip, showTip } from "./dom.js";
import { pageColours } from "./paint.js";

/** Where a point of the map is on the canvas, for a view {x, y, zoom} whose centre is (x, y) in 0..1. */
export function projection(view, width, height) {
  const scale = 0.92 * Math.min(width, height) * view.zoom;
  return { x: (value) => width / 2 + (value - view.x) * scale, y: (value) => height / 2 - (value - view.y) * scale, scale };
}

/** Coordinates brought to 0..1 with one scale for both axes; unknown ones stay null. */
export function unitSquare(xs, ys) {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let index = 0; index < xs.length; index += 1) {
    if (xs[index] === null || ys[index] === null) continue;
    left = Math.min(left, xs[index]);
    right = Math.max(right, xs[index]);
    low = Math.min(low, ys[index]);
    high = Math.max(high, ys[index]);
  }
  const span = Math.max(right - left, high - low) || 1;
  const bring = (values, from, to) => Array.from(values, (value) => (value === null ? null : 0.5 + (value - (from + to) / 2) / span));
  return { x: bring(xs, left, right), y: bring(ys, low, high) };
}

/** The nearest point to a place on the canvas within `reach` pixels, or -1. */
export function nearestPoint(points, project, left, top, reach) {
  let [best, distance] = [-1, reach * reach];
  for (let index = 0; index < points.x.length; index += 1) {
    if (points.x[index] === null) continue;
    const squared = (project.x(points.x[index]) - left) ** 2 + (project.y(points.y[index]) - top) ** 2;
    if (squared < distance) [best, distance] = [index, squared];
  }
  return best;
}

/** The nearest point in a direction, for the arrow keys; -1 if there is none. */
export function pointTowards(points, from, dx, dy) {
  let [best, cost] = [-1, Infinity];
  for (let index = 0; index < points.x.length; index += 1) {
    if (index === from || points.x[index] === null) continue;
    const [x, y] = [points.x[index] - points.x[from], points.y[index] - points.y[from]];
    const along = x * dx + y * dy;
    const across = Math.abs(x * dy) + Math.abs(y * dx);
    if (along <= 0 || across > along) continue;
    const each = along + 2 * across;
    if (each < cost) [best, cost] = [index, each];
  }
  return best;
}

/**
 * The map.
 *
 * @param points {x, y} in 0..1; `paintOf(index)` a colour, or null for a point that is not shown; `describe(index)` its text; `open(index)` shows it;
 * `view` {x, y, zoom}; `onView` hears of a new view.
 */
export function latentMap({ points, paintOf, describe, open, view, onView, label }) {
  const canvas = el("canvas", { class: "map-canvas", tabindex: 0, role: "application", "aria-label": label, "aria-roledescription": "map" });
  const context = canvas.getContext("2d");
  let [width, height, chosen, frame] = [0, 0, -1, 0];

  const draw = () => {
    frame = 0;
    const ratio = devicePixelRatio || 1;
    [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (width === 0) return;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    context.scale(ratio, ratio);
    const project = projection(view, width, height);
    const radius = Math.min(Math.max(160 / Math.sqrt(points.x.length) * Math.sqrt(view.zoom), 1.4), 7);
    context.globalAlpha = 0.8;
    for (let index = 0; index < points.x.length; index += 1) {
      if (points.x[index] === null) continue;
      const [left, top] = [project.x(points.x[index]), project.y(points.y[index])];
      if (left < -8 || top < -8 || left > width + 8 || top > height + 8) continue;
      const colour = paintOf(index);
      if (!colour) continue;
      context.fillStyle = colour;
      context.beginPath();
      context.arc(left, top, radius, 0, 7);
      context.fill();
    }
    context.globalAlpha = 1;
    if (chosen >= 0) {
      context.strokeStyle = pageColours().ink;
      context.lineWidth = 2.5;
      context.beginPath();
      context.arc(project.x(points.x[chosen]), project.y(points.y[chosen]), radius + 4, 0, 7);
      context.stroke();
    }
  };
  const redraw = () => { frame ||= requestAnimationFrame(draw); };

  const choose = (index) => {
    chosen = index;
    redraw();
    if (index < 0) return hideTip();
    const project = projection(view, width, height);
    const box = canvas.getBoundingClientRect();
    showTip(describe(index), canvas, { x: box.left + project.x(points.x[index]), y: box.top + project.y(points.y[index]) });
    return null;
  };
  const zoomBy = (factor, left = width / 2, top = height / 2) => {
    const before = projection(view, width, height);
    const at = { x: view.x + (left - width / 2) / before.scale, y: view.y - (top - height / 2) / before.scale };
    view.zoom = Math.min(Math.max(view.zoom * factor, 0.5), 60);
    const after = projection(view, width, height);
    view.x = at.x - (left - width / 2) / after.scale;
    view.y = at.y + (top - height / 2) / after.scale;
    redraw();
    onView(view);
  };

  const pointers = new Map();
  let moved = 0;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, place(event));
    moved = 0;
    try {
      canvas.setPointerCapture(event.pointerId);
    } catch { /* the pointer has gone already */ }
  });
  canvas.addEventListener("pointermove", (event) => {
    const [left, top] = place(event);
    const project = projection(view, width, height);
    const before = pointers.get(event.pointerId);
    if (!before) {
      const index = nearestPoint(points, project, left, top, 10);
      canvas.classList.toggle("pointing", index >= 0);
      if (index !== chosen) choose(index);
      return;
    }
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    if (others.length === 1) {
      const spread = ([x, y]) => Math.hypot(x - others[0][0], y - others[0][1]) || 1;
      zoomBy(spread([left, top]) / spread(before), (left + others[0][0]) / 2, (top + others[0][1]) / 2);
    } else {
      view.x -= (left - before[0]) / project.scale;
      view.y += (top - before[1]) / project.scale;
      hideTip();
      redraw();
    }
    moved += Math.hypot(left - before[0], top - before[1]);
    pointers.set(event.pointerId, [left, top]);
  });
  const release = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    if (moved >= 5) return onView(view);
    if (event.type === "pointerup") {
      const index = nearestPoint(points, projection(view, width, height), ...place(event), 14);
      if (index >= 0) open(index);
    }
    return null;
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => choose(-1));
  // The wheel scrolls the page, unless the reader is in the map: it has the focus, or Control is held.
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && document.activeElement !== canvas) return;
    event.preventDefault();
    zoomBy(Math.exp(-event.deltaY / 300), ...place(event));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const arrow = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (arrow && event.shiftKey) {
      view.x += (0.1 * arrow[0]) / view.zoom;
      view.y += (0.1 * arrow[1]) / view.zoom;
      redraw();
      onView(view);
    } else if (arrow) {
      const project = projection(view, width, height);
      const next = chosen < 0 ? nearestPoint(points, project, width / 2, height / 2, Infinity) : pointTowards(points, chosen, ...arrow);
      if (next >= 0) {
        choose(next);
        announce(describe(next));
      }
    } else if (event.key === "Enter" && chosen >= 0) open(chosen);
    else if (event.key === "+" || event.key === "=") zoomBy(1.5);
    else if (event.key === "-") zoomBy(1 / 1.5);
    else if (event.key === "0") Object.assign(view, { x: 0.5, y: 0.5, zoom: 1 }), redraw(), onView(view);
    else return;
    event.preventDefault();
  });
  new ResizeObserver(redraw).observe(canvas);
  return {
    canvas,
    redraw,
    zoomBy,
    reset() {
      Object.assign(view, { x: 0.5, y: 0.5, zoom: 1 });
      redraw();
      onView(view);
    },
    /** The map as it is shown now, for files. */
    figure() {
      return {
        width, height, label,
        draw(painter) {
          const project = projection(view, width, height);
          for (let index = 0; index < points.x.length; index += 1) {
            if (points.x[index] === null || !paintOf(index)) continue;
            const [left, top] = [project.x(points.x[index]), project.y(points.y[index])];
            if (left >= 0 && top >= 0 && left <= width && top <= height) painter.circle(left, top, 2.5, paintOf(index), { opacity: 0.8 });
          }
        },
      };
    },
  };
}
