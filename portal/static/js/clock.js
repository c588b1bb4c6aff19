// One timer for everything that counts seconds on the page; it rests while the tab is hidden.

const listeners = new Set();
let timer = null;

function beat() {
  for (const listener of [...listeners]) listener();
}

function set() {
  const wanted = listeners.size > 0 && !document.hidden;
  if (wanted && timer === null) timer = setInterval(beat, 1000);
  if (!wanted && timer !== null) { clearInterval(timer); timer = null; }
}

document.addEventListener("visibilitychange", () => { set(); if (!document.hidden) beat(); });

export function everySecond(listener, signal) {
  listeners.add(listener);
  signal?.addEventListener("abort", () => { listeners.delete(listener); set(); });
  set();
}

// Calls `work` at once and then every `seconds`, never twice at a time, not while hidden. Errors go to `failed`;
// a Retry-After is kept.
export function repeat(work, seconds, signal, failed = () => {}) {
  let next = null;
  const round = async () => {
    let wait = seconds;
    if (!document.hidden) {
      try {
        await work();
      } catch (error) {
        if (signal.aborted) return;
        wait = Math.max(seconds, error.retryAfter ?? (error.status === 429 ? 60 : 0));
        failed(error);
      }
    }
    if (!signal.aborted) next = setTimeout(round, wait * 1000);
  };
  signal.addEventListener("abort", () => clearTimeout(next));
  round();
}
