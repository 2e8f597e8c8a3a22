// Tracks of latents over a sequence: [[start, [0..255, …]], …] of the latent's `max`. Pure functions.

/** The activations of a track as one array over the sequence. */
export function unpackTrack(track, length) {
  const values = new Float32Array(length);
  for (const [start, run] of track.runs) {
    for (let index = 0; index < run.length && start + index < length; index += 1) values[start + index] = (run[index] / 255) * track.max;
  }
  return values;
}

/** A track made of windows of one protein, for a latent that its page does not keep; null if there are none. */
export function trackOfWindows(windows, max) {
  const runs = windows.map(({ start, acts }) => [start, acts.map((value) => Math.round((255 * value) / max))]);
  return runs.length > 0 && max > 0 ? { max, runs } : null;
}

/** Which tracks are active between two residues (0-based, both included), strongest first. */
export function firingBetween(tracks, from, to) {
  const found = [];
  for (const track of tracks) {
    let peak = 0;
    let at = -1;
    let count = 0;
    for (const [start, run] of track.runs) {
      const first = Math.max(from - start, 0);
      const last = Math.min(to - start, run.length - 1);
      for (let index = first; index <= last; index += 1) {
        if (run[index] === 0) continue;
        count += 1;
        if (run[index] > peak) {
          peak = run[index];
          at = start + index;
        }
      }
    }
    if (count > 0) found.push({ track, peak: (peak / 255) * track.max, part: peak / 255, at, count });
  }
  // Latents differ in scale: what counts is the share of the latent's own maximum.
  return found.sort((a, b) => b.part - a.part || b.count - a.count);
}

/** The range that a text such as `40-60` or `40` names (1-based) as 0-based [from, to]; null if it is none. */
export function parseRange(from, to, length) {
  const [a, b] = [Number(from), Number(to || from)];
  if (!from || !Number.isInteger(a) || !Number.isInteger(b)) return null;
  const [low, high] = a <= b ? [a, b] : [b, a];
  if (high < 1 || low > length) return null;
  return [Math.max(low, 1) - 1, Math.min(high, length) - 1];
}
