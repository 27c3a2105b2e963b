// Live tells of every change in the agent's state, and whether the agent is
// there. A tab that nobody sees holds no connection: a browser has few of them.

import { Refused, lines, request } from "./api.js";

// How long to wait after a lost connection, in milliseconds; how often to look
// where the stream is not allowed; and how long a stream may be silent, which
// says something each 30 seconds.
const firstWait = 300;
const longestWait = 4000;
const look = 3000;
const silence = 75000;

// latest is after every index that there is.
const latest = Number.MAX_SAFE_INTEGER;

export class Live {
  #changed;
  #state;
  #stop = new AbortController();
  #wake = () => {};

  // changed is called with the events of a write, or with null where all may
  // have changed; state with "live", "lost" or "looking".
  constructor(changed, state) {
    this.#changed = changed;
    this.#state = state;
    document.addEventListener("visibilitychange", () => this.restart());
  }

  restart() {
    this.#stop.abort();
    this.#wake();
    this.#stop = new AbortController();
    if (!document.hidden) this.#run(this.#stop.signal);
  }

  async #run(stop) {
    for (let wait = firstWait; !stop.aborted; wait = Math.min(wait * 2, longestWait)) {
      try {
        await this.#follow(stop, () => (wait = firstWait));
      } catch (error) {
        if (stop.aborted) return;
        if (error instanceof Refused) {
          this.#state("looking");
          this.#changed(null);
          wait = look;
        } else this.#state("lost");
      }
      if (!stop.aborted) await this.#sleep(wait);
    }
  }

  async #follow(stop, begun) {
    const quiet = new AbortController();
    let watchdog = setTimeout(() => quiet.abort(), silence);
    try {
      const response = await request(`/v1/event/stream?namespace=*&index=${latest}`, { signal: AbortSignal.any([stop, quiet.signal]) });
      begun();
      this.#state("live");
      this.#changed(null);
      for await (const line of lines(response)) {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => quiet.abort(), silence);
        if (line.Events && !stop.aborted) this.#changed(line.Events);
      }
      if (!stop.aborted) this.#state("lost");
    } finally {
      clearTimeout(watchdog);
    }
  }

  #sleep(ms) {
    return new Promise((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, ms);
    });
  }
}
