// Follows what comes in a session, from wherever it comes, and connects again whenever the connection is lost.
import { Problem } from "./api.js";
import { backoff } from "./patience.js";

export class Follower {
  #api;
  #patience;
  #told;
  #session = null;
  #after = 0; // the number of the last message that came
  #stream = null;

  // told: {onHistory(messages), onEvent({name, data}), onProblem(problem)}
  constructor(api, patience, told) {
    this.#api = api;
    this.#patience = patience;
    this.#told = told;
  }

  start(session) {
    if (this.#stream && this.#session.id === session.id) return;
    this.stop();
    if (this.#session?.id !== session.id) this.#after = 0;
    this.#session = session;
    this.#stream = new AbortController();
    this.#run(session, this.#stream.signal);
  }

  stop() {
    this.#stream?.abort();
    this.#stream = null;
  }

  async #run(session, signal) {
    for (let tries = 0; !signal.aborted; tries += 1) {
      try {
        if (this.#after === 0) await this.#catchUp(session, signal);
        for await (const event of this.#api.follow(session, this.#after, signal)) {
          tries = 0;
          if (event.name === "message") this.#after = Math.max(this.#after, event.data.seq);
          this.#told.onEvent(event);
        }
      } catch (problem) {
        if (signal.aborted) return;
        if (!(problem instanceof Problem)) throw problem;
        this.#told.onProblem(problem);
      }
      if (!signal.aborted) await this.#patience.wait(backoff(tries));
    }
  }

  async #catchUp(session, signal) {
    const { messages } = await this.#api.history(session, signal);
    this.#told.onHistory(messages);
    this.#after = messages.at(-1)?.seq ?? 0;
  }
}
