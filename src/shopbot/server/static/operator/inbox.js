// The sessions that are under way, as they change; it connects again whenever the connection is lost.
import { Problem } from "./api.js";
import { Patience, backoff } from "./patience.js";

export class Inbox {
  sessions = new Map();
  isConnected = false;
  #api;
  #patience = new Patience();
  #stream = new AbortController();
  #watchers = new Set();
  #onProblem;

  // onProblem(problem): what a lost connection does not explain
  constructor(api, onProblem) {
    this.#api = api;
    this.#onProblem = onProblem;
    this.retry = () => this.#patience.cutShort();
    addEventListener("online", this.retry);
    this.#run(this.#stream.signal);
  }

  // Calls watcher(session or null) at every change; the function that comes back ends it.
  watch(watcher) {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  // Takes what an answer said of a session, before the stream does.
  update(session) {
    const known = this.sessions.get(session.session_id);
    this.sessions.set(session.session_id, session);
    if (JSON.stringify(known) !== JSON.stringify(session)) this.#tell(session);
  }

  stop() {
    removeEventListener("online", this.retry);
    this.#stream.abort();
    this.#patience.cutShort();
    this.#watchers.clear();
  }

  async #run(signal) {
    for (let tries = 0; !signal.aborted; tries += 1) {
      try {
        const seen = new Set();
        for await (const { name, data } of this.#api.inbox(signal)) {
          tries = 0;
          if (name === "session") {
            seen.add(data.session_id);
            this.update(data);
          }
          if (name === "synced") this.#synced(seen);
          if (name === "gone") this.#forget(data.session_id);
        }
      } catch (problem) {
        if (signal.aborted) return;
        if (!(problem instanceof Problem)) throw problem;
        if (problem.status === 401) return this.#onProblem(problem);
      }
      this.#connected(false);
      if (!signal.aborted) await this.#patience.wait(backoff(tries));
    }
  }

  // What left the inbox while there was no connection is not told.
  #synced(seen) {
    for (const id of [...this.sessions.keys()].filter((known) => !seen.has(known))) this.#forget(id);
    this.#connected(true);
  }

  #forget(id) {
    if (this.sessions.delete(id)) this.#tell(null);
  }

  #connected(isConnected) {
    if (this.isConnected === isConnected) return;
    this.isConnected = isConnected;
    this.#tell(null);
  }

  #tell(session) {
    for (const watcher of [...this.#watchers]) watcher(session);
  }
}
