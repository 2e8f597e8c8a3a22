// What each term means, for a biologist. Shown on hover and focus, and as a list on the page “About”.
import { el } from "./dom.js";

export const GLOSSARY = {
  latent: ["Latent", "One unit of a dictionary. It is silent at most residues and active where the language model’s numbers hold the pattern that it has learnt."],
  dictionary: ["Dictionary", "A trained sparse autoencoder: it rewrites the language model’s numbers at each residue as a few active latents, from which the numbers can be rebuilt."],
  defined: ["Defined latent", "A latent that was tied to one concept, such as a GO term, before training."],
  free: ["Free latent", "A latent that training shaped without labels. The concept next to it was chosen afterwards, on validation proteins."],
  concept: ["Concept", "A term that labels proteins or residues: a GO term, a sequence motif, a feature of UniProt or an entry of your own tables."],
  aspect: ["Aspect", "The group that a concept belongs to: biological process, molecular function, cellular component, or another source."],
  activation: ["Activation", "How active a latent is at a residue. It is zero or positive, and has no unit; compare it with the latent’s own maximum."],
  density: ["Density", "The share of residues of test proteins at which the latent is active."],
  f1: ["F1", "How well “the latent is active in the protein” agrees with “the protein has the concept”: 1 is perfect, 0 is none. The threshold is chosen on validation proteins, the score is of test proteins."],
  floor: ["Floor", "What is reached without any knowledge: the F1 of saying “yes” for every protein. A score near its floor is no finding."],
  auc: ["AUC", "The chance that a protein with the concept has a higher score than one without it. 0.5 is chance, 1 is perfect."],
  aupr: ["AUPR", "Area under the precision and recall curve. Chance is the share of proteins with the concept."],
  fmax: ["Fmax", "The largest F1 over all thresholds, averaged over proteins, as in CAFA."],
  interval: ["Interval", "The 95 % interval over resampled test proteins: how far the score could move with other proteins of this kind."],
  prevalence: ["Prevalence", "The share of labelled proteins that have the concept."],
  detection: ["Detection", "Can a reader of the sentence tell which proteins make the latent active? Balanced accuracy: 0.5 is chance. The floor is the score of sentences of other latents."],
  fuzzing: ["Fuzzing", "Can a reader of the sentence tell at which residues the latent is active? Balanced accuracy: 0.5 is chance."],
  intruder: ["Intruder", "Can a reader tell which of several windows does not belong to the latent? It tests whether the latent’s windows are alike, without the sentence."],
  confidence: ["Confidence", "How far to trust the sentence: from its scores above their floors on proteins that were not used to write it."],
  shape: ["Shape", "How the latent is active along a sequence: at single residues (point), in short, medium or long runs, over whole proteins, or at regular steps (periodic)."],
  family: ["Family", "Latents whose directions are alike, so that one of them may be a special case of another."],
  topic: ["Topic", "Latents that are active in the same proteins, grouped."],
  neighbour: ["Neighbour", "The latents of the same dictionary whose directions are most alike. Cosine 1 is the same direction, 0 is unrelated."],
  antipode: ["Antipode", "The latent whose direction points most nearly the opposite way."],
  logo: ["Logo", "Which amino acids stand around the residue of strongest activation: the taller a letter, the more it is preferred, in bits."],
  output: ["Output", "What the latent does when it is written back into the language model: the amino acids that become more likely, and less."],
  input: ["Input", "The amino acids at which the latent is active more often than by chance."],
  monosemanticity: ["Monosemanticity", "Whether the proteins or windows that make the latent active are like each other more than chance: one meaning rather than several."],
  gate: ["Gate", "For a defined latent: the probability that the predictor must exceed at a residue before the latent may be active."],
  threshold: ["Threshold", "The activation, or probability, from which on the answer is “yes”. Chosen on validation proteins."],
  supervision: ["Labels used for", "How a method uses labels of training proteins: while it trains, to choose one latent, to fit a probe, or not at all. Compare methods of one kind first."],
  split: ["Split", "Training proteins shape the dictionaries, validation proteins choose thresholds, test proteins give the scores. Relatives are kept in one split."],
  fve: ["Variance explained", "The share of the language model’s variance that the dictionary rebuilds. 1 is all of it."],
  l0: ["Active latents", "Mean number of latents that are active at a residue."],
  missing: ["Predicted, not annotated", "Proteins that the dictionary gives a high probability of the concept and that the annotations do not list. A candidate to look at, not a finding."],
  quantile: ["Level", "Windows from the latent’s strongest protein down to its weakest, so that the middle and the low end can be seen too."],
  hook: ["Hook point", "The place in the language model whose numbers the dictionary was trained on."],
  enrichment: ["Enrichment", "Concepts that are more common among the proteins in which the latent is active than elsewhere; q is the p-value after correction for many tests."],
  dense: ["Dense latent", "A latent that is active at very many residues. Such latents mostly carry position, composition or scale, not one property."],
  at_input: ["At the input", "Integrated gradients of the residue’s embedding: how much of the score comes from this amino acid. All residues add up to the score less that of an empty input."],
  at_hook: ["At the hook point", "Integrated gradients of the residue’s latents: where the information is in the layer that the dictionary reads. It may have moved there from other residues."],
  occlusion: ["Occlusion", "By how much the probability falls if the residue is masked. Where several residues say the same, it is near zero for each."],
  region: ["Region’s rank", "The order in which regions are added so that the probability with them alone, and the loss without them, is largest (EAGLE)."],
  integrated: ["Integrated gradients", "The mean gradient from an input without latents to the protein, times the activation. All latents and the error add up to the score with all less that without any."],
  ablation: ["Ablation", "By how much the score falls if this latent is zero at all residues and the others stay."],
  mask: ["Gate", "Of the learned mask: how far open the latent is left where few open ones have to give 90 % of the score."],
  perplexity: ["Pseudo-perplexity", "How surprised a language model is by the residues, each masked in turn: 1 is not at all, 20 is guessing. Low is natural to that model. Repeats of one amino acid are low too, so look at the sequence."],
  circular: ["Target score", "Mean activation of the latents that were raised, by the model and the dictionary that made the design. It is circular: no evidence that the design has the concept."],
  absorption: ["Absorption", "A latent of a broad concept stays silent where the latent of a narrower concept is active."],
};

/** A word with its meaning on hover and focus. */
export function term(key, text) {
  const entry = GLOSSARY[key];
  if (!entry) return el("span", null, text ?? key);
  return el("span", { class: "term", tabindex: 0, "data-tip": entry[1], "data-describe": true }, text ?? entry[0]);
}
