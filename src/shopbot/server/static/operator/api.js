// The operator's part of the HTTP API as docs/operators.md describes it. The key travels in a header.
import { readEvents } from "./sse.js";

const TIMEOUT_MS = 30_000;

// status 0: no connection. The message can be shown.
export class Problem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export class Api {
  constructor(key) {
    this.key = key;
  }

  get(path, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== "" && value != null);
    return this.#json(given.length ? `${path}?${new URLSearchParams(given)}` : path, { method: "GET" });
  }

  post(path, body) {
    return this.#json(path, { method: "POST", body });
  }

  // Yields what changes in the inbox for as long as the connection holds.
  async *inbox(signal) {
    const response = await this.#ask("events", { method: "GET", signal, isStream: true });
    try {
      yield* readEvents(response);
    } catch {
      throw new Problem(0, "The connection was lost.");
    }
  }

  async #json(path, options) {
    const response = await this.#ask(path, options);
    if (response.status === 204) return null;
    return response.json().catch(() => {
      throw new Problem(0, "The connection was lost.");
    });
  }

  async #ask(path, { method, body, signal, isStream = false }) {
    const headers = { Authorization: `Bearer ${this.key}` };
    if (body) headers["Content-Type"] = "application/json";
    const slow = new AbortController();
    const timer = setTimeout(() => slow.abort(), TIMEOUT_MS);
    const signals = AbortSignal.any([slow.signal, ...(signal ? [signal] : [])]);
    const options = { method, headers, body: body && JSON.stringify(body), signal: signals };
    let response;
    try {
      response = await fetch(address(path), { ...options, credentials: "omit", cache: "no-store" });
    } catch {
      throw new Problem(0, "The service cannot be reached. Is it running?");
    }
    if (isStream) clearTimeout(timer); // how long a stream may be silent is another question
    if (response.ok) return response;
    const told = await response.json().catch(() => null);
    throw new Problem(response.status, told?.error?.message ?? `The service answered ${response.status}.`);
  }
}

// Where a path of the API is, wherever the application is mounted.
export const address = (path) => new URL(`v1/operator/${path}`, document.baseURI);
export const part = encodeURIComponent;
