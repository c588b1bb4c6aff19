// Where the steps of a run stand in their drawing: `layer` along the way, `lane` across it. Pure, from `after` alone.
//
// The longest way through the graph is the middle lane; branches take the nearest free lane, alternately on one side
// and the other, and a lane is busy from where its branch leaves until where it joins again.

export function layOut(steps) {
  const byName = new Map(steps.map((step) => [step.name, step]));
  const before = new Map(steps.map((step) => [step.name, (step.after ?? []).filter((name) => byName.has(name))]));
  const next = new Map(steps.map((step) => [step.name, []]));
  for (const [name, list] of before) for (const one of list) next.get(one).push(name);

  const layer = memo((name) => Math.max(-1, ...before.get(name).map(layer)) + 1);
  const rest = memo((name) => Math.max(-1, ...next.get(name).map(rest)) + 1);
  const byRest = (a, b) => rest(b) - rest(a);
  const lastLayer = Math.max(0, ...steps.map((step) => layer(step.name)));

  const lanes = new Map();
  const busy = []; // [lane, from layer, to layer]
  const take = (name, wanted) => {
    // A branch follows its longest way until a step that another lane already holds.
    const way = [];
    for (let at = name; at && !lanes.has(at); at = [...next.get(at)].sort(byRest)[0]) way.push(at);
    const join = [...next.get(way.at(-1))].sort(byRest)[0];
    const from = layer(name);
    const to = join ? layer(join) - 1 : layer(way.at(-1));
    const lane = wanted.find((one) => !busy.some(([held, a, b]) => held === one && from <= b && to >= a));
    busy.push([lane, from, to]);
    for (const one of way) lanes.set(one, lane);
    return way;
  };
  const sides = Array.from({ length: steps.length * 2 + 1 }, (_, i) => (i === 0 ? 0 : i % 2 ? -(i + 1) / 2 : i / 2));
  const starts = steps.filter((step) => before.get(step.name).length === 0).map((step) => step.name).sort(byRest);
  const queue = [...starts];
  while (queue.length) {
    const name = queue.shift();
    if (lanes.has(name)) continue;
    const way = take(name, lanes.size === 0 ? [0] : preferred(sides, busy));
    for (const one of way) queue.push(...[...next.get(one)].filter((other) => !lanes.has(other)).sort(byRest));
  }
  const lowest = Math.min(0, ...lanes.values());
  return {
    layers: lastLayer + 1,
    lanes: Math.max(0, ...lanes.values()) - lowest + 1,
    nodes: steps.map((step) => ({ name: step.name, layer: layer(step.name), lane: lanes.get(step.name) - lowest })),
    edges: steps.flatMap((step) => before.get(step.name).map((from) => ({ from, to: step.name }))),
  };
}

// The side with fewer branches first, so that two branches lie on the two sides of the middle.
function preferred(sides, busy) {
  const above = busy.filter(([lane]) => lane < 0).length;
  const below = busy.filter(([lane]) => lane > 0).length;
  const sign = above <= below ? 1 : -1;
  return sides.filter((lane) => lane !== 0).map((lane) => (sign === 1 ? lane : -lane)).concat(0);
}

function memo(work) {
  const known = new Map();
  const visiting = new Set();
  const self = (name) => {
    if (known.has(name)) return known.get(name);
    if (visiting.has(name)) return 0; // a cycle cannot be drawn along; it must not hang the page either
    visiting.add(name);
    const value = work(name);
    visiting.delete(name);
    known.set(name, value);
    return value;
  };
  return self;
}
