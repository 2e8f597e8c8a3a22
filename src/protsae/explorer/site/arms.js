// Arms of steering side by side, and their scores by strength: the tables of a benchmark.
import { atlas } from "./atlas.js";
import { dotPlot, lineChart } from "./charts.js";
import { el } from "./dom.js";
import { fixed, interval, isKnown, significant, words } from "./format.js";
import { choice, empty, figureBox, notice, panel, panelGrid, plainTable, recordRows, recordTable, tick } from "./panel.js";
import { OKABE } from "./paint.js";
import { replaceQuery } from "./route.js";
import { load, table } from "./store.js";

const REFERENCE_ARM = "difference_of_means";
const ARM_SCORES = ["score", "gain", "hit", "isolation", "naturalness", "motif"];
const FIRST_ARMS = 4;
const DASHES = [null, [7, 3], [2, 3], [9, 3, 2, 3]];

/** Rows of a table as objects. */
export function rowsOf(raw) {
  const { columns, n } = table(raw);
  return Array.from({ length: n }, (_, row) => Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[row]])));
}

/** Whether an arm is a control: what steers towards nothing, or towards something else. */
export function isControl(arm) {
  return /^(unsteered|splice_only|random|wrong|unrelated|confounder)/.test(arm);
}

/** What can be shown of rows: scores by name, the main one first. */
export function metricsOf(rows) {
  return ARM_SCORES.filter((name) => rows.some((row) => typeof row[name] === "number"));
}

/** The curves of a target: one per arm, by strength; those with the highest value first. */
export function doseCurves(rows, target, metric) {
  const byArm = new Map();
  for (const row of rows) if (row.target === target && isKnown(row[metric])) byArm.set(row.arm, [...(byArm.get(row.arm) ?? []), row]);
  return [...byArm].map(([arm, own]) => {
    const points = own.sort((a, b) => a.strength - b.strength);
    return { arm, x: points.map((each) => each.strength), y: points.map((each) => each[metric]) };
  }).sort((a, b) => Math.max(...b.y) - Math.max(...a.y));
}

function armsPanel(rows, query) {
  const targets = [...new Set(rows.map((row) => row.target))];
  const metrics = metricsOf(rows);
  const now = { target: targets.includes(query.get("target")) ? query.get("target") : targets.includes("mean") ? "mean" : targets[0], metric: metrics.includes(query.get("metric")) ? query.get("metric") : metrics[0] };
  const shown = () => rows.filter((row) => row.target === now.target && isKnown(row[now.metric])).sort((a, b) => b[now.metric] - a[now.metric]);
  const figure = (width) => dotPlot(shown().map((row) => ({ label: words(row.arm), value: row[now.metric], low: row[`${now.metric}_low`], high: row[`${now.metric}_high`], muted: isControl(row.arm) })), { label: `${now.metric} of all arms, target ${now.target}`, reference: shown().find((row) => row.arm === REFERENCE_ARM)?.[now.metric], width, bars: true });
  const holder = el("div");
  const below = el("div");
  const draw = () => {
    holder.replaceChildren(figureBox(figure, { max: 900 }));
    below.replaceChildren(plainTable([{ label: "Arm" }, ...metrics.map((name) => ({ label: words(name), number: true })), { label: "less difference of means", number: true }, { label: "Strength", number: true }],
      shown().map((row) => ({ className: isControl(row.arm) ? "floor" : "", cells: [words(row.arm), ...metrics.map((name) => [fixed(row[name]), isKnown(row[`${name}_low`]) && el("small", null, interval(row[`${name}_low`], row[`${name}_high`]))]), [fixed(row.difference), isKnown(row.difference_low) && el("small", null, interval(row.difference_low, row.difference_high))], significant(row.strength)] })), { label: "Arms" }));
  };
  draw();
  const set = (key) => (value) => {
    now[key] = value;
    replaceQuery({ [key]: value });
    draw();
  };
  return panel({
    title: "Arms side by side", wide: true, file: "steering_arms", figure, rows: () => recordRows(rows),
    about: ["Bars are scores on test proteins, lines their intervals. Grey bars are controls. The dashed line is difference of means. An arm whose interval of the difference holds 0 is neither ahead nor behind.", isKnown(rows[0].n_seeds) && ` Number of seeds: ${rows[0].n_seeds}.`],
  },
  el("div", { class: "controls" }, choice("Target", targets.map((value) => [value, value]), now.target, set("target")), metrics.length > 1 && choice("Score", metrics.map((value) => [value, words(value)]), now.metric, set("metric"))), holder, below,
  el("details", { class: "more" }, el("summary", null, "All columns of all targets"), recordTable(rows, { label: "All arms and targets" })));
}

function dosesPanel(rows, query) {
  const targets = [...new Set(rows.map((row) => row.target))];
  const metrics = metricsOf(rows);
  const now = { target: targets.includes(query.get("dose")) ? query.get("dose") : targets[0], metric: metrics.includes(query.get("dosed")) ? query.get("dosed") : metrics[0] };
  let chosen = null;
  const curves = () => doseCurves(rows, now.target, now.metric);
  const series = () => curves().filter((each) => chosen.has(each.arm)).map((each, index) => ({ ...each, label: words(each.arm), colour: OKABE[index % OKABE.length], dash: DASHES[index % DASHES.length] }));
  const figure = (width) => lineChart(series(), { label: `${now.metric} by strength, target ${now.target}`, xLabel: "strength", yLabel: words(now.metric), width, height: 300, points: true });
  const holder = el("div");
  const ticks = el("div", { class: "controls", role: "group", "aria-label": "Arms in the figure" });
  const below = el("div");
  const draw = () => {
    const shown = series();
    if (shown.length === 0) {
      holder.replaceChildren(empty("Tick an arm."));
      below.replaceChildren();
      return;
    }
    holder.replaceChildren(figureBox(figure, { max: 900 }));
    const strengths = [...new Set(shown.flatMap((each) => each.x))].sort((a, b) => a - b);
    below.replaceChildren(plainTable([{ label: "Arm" }, ...strengths.map((each) => ({ label: significant(each), number: true }))], shown.map((each) => [each.label, ...strengths.map((strength) => fixed(each.y[each.x.indexOf(strength)]))]), { label: "Scores by strength" }));
  };
  const start = () => {
    const all = curves().map((each) => each.arm);
    chosen = new Set([...all.filter((arm) => arm !== REFERENCE_ARM).slice(0, FIRST_ARMS - 1), ...all.filter((arm) => arm === REFERENCE_ARM)]);
    ticks.replaceChildren(...curves().map(({ arm }) => tick(words(arm), chosen.has(arm), (value) => {
      if (value) chosen.add(arm);
      else chosen.delete(arm);
      draw();
    })));
    draw();
  };
  start();
  const set = (key, address) => (value) => {
    now[key] = value;
    replaceQuery({ [address]: value });
    start();
  };
  return panel({
    title: "Dose and response", wide: true, file: "steering_doses", figure, rows: () => recordRows(rows),
    about: "Scores by strength, on validation proteins: the strength of every arm is chosen here. A curve that rises and falls again is one that breaks the protein at high strength.",
  }, el("div", { class: "controls" }, choice("Target", targets.map((value) => [value, value]), now.target, set("target", "dose")), metrics.length > 1 && choice("Score", metrics.map((value) => [value, words(value)]), now.metric, set("metric", "dosed"))), holder, ticks, below);
}

/** The view of both tables, or how to make them. */
export async function armsView(query) {
  const tables = atlas.index.has?.arms ? await load("steering-arms") : {};
  const [arms, doses] = [rowsOf(tables.arms), rowsOf(tables.doses)];
  if (arms.length + doses.length === 0) {
    return [empty("This run has no table of arms."), notice("The pipeline makes designs and no arms: these come from a benchmark with a judge. ", el("code", null, "python benchmarks/antibody_steering.py"), " writes both tables for the environment ", el("code", null, "antibody"), ". For a benchmark of your own put ", el("code", null, "steering_arms.csv"), " (columns ", el("code", null, "arm, target, score"), ", and ", el("code", null, "score_low, score_high, gain, isolation, naturalness, difference"), " if there are any) and ", el("code", null, "steering_doses.csv"), " (with ", el("code", null, "strength"), ") into ", el("code", null, "data/08_reporting"), ", then ", el("code", null, "kedro run --pipelines explorer"), ".")];
  }
  return [notice("These are tables of a benchmark, not of the designs of this run: its judge, its targets and its proteins are its own."), panelGrid(arms.length > 0 && armsPanel(arms, query), doses.length > 0 && dosesPanel(doses, query))];
}
