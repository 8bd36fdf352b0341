// Waiting between two tries. Whoever knows that it is over (a click, the browser's "online") can cut it short.

const LONGEST_S = 30;

export class Patience {
  #waiting = new Set();

  // seconds may be Infinity: until somebody cuts it short.
  wait(seconds) {
    return new Promise((resolve) => {
      let timer;
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
      if (seconds !== Infinity) timer = setTimeout(done, 1000 * seconds);
    });
  }

  cutShort() {
    for (const done of [...this.#waiting]) done();
  }
}

// Seconds before the next try: longer each time, and not the same for everybody when a service comes back.
export const backoff = (tries) => Math.min(2 ** tries, LONGEST_S) * (0.75 + Math.random() / 2);
