// Waiting for things, always with a deadline.

import { setTimeout as sleep } from 'node:timers/promises';

// Sanitizers and small machines are slow: every deadline is a multiple of this.
export const SLOW = Number(process.env.PX_SLOW ?? 1);

/** Resolves like `promise`, or fails with `what` once `ms` have passed. */
export async function within(ms, promise, what) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`not within ${ms * SLOW} ms: ${what}`)), ms * SLOW);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks `probe` again and again until it gives something true, and hands that back. */
export async function until(ms, probe, what) {
  const end = Date.now() + ms * SLOW;
  let last;
  for (;;) {
    try {
      const got = await probe();
      if (got) {
        return got;
      }
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) {
      throw new Error(`not within ${ms * SLOW} ms: ${typeof what === 'function' ? what() : what}`
        + `${last ? ` (${last.message})` : ''}`);
    }
    await sleep(20);
  }
}

/** A promise with its own `resolve`: a gate that a test opens. */
export function gate() {
  let open;
  const promise = new Promise((done) => { open = done; });
  return { promise, open };
}
