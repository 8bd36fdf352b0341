// The HTTP API as docs/http-api.md describes it. No cookies: the session's token travels in a header.
import { readEvents } from "./sse.js";

const TIMEOUT_MS = 30_000;
// What a status means for whoever asked; all others mean that the service failed.
const KINDS = { 400: "refused", 401: "ended", 404: "ended", 413: "refused", 422: "refused", 429: "busy", 503: "busy" };

// kind: "lost" (no connection), "busy" (try again after retryAfterS), "ended" (no such session), "refused" (never try that
// again) or "failed". The message can be shown; it is empty where the service said nothing.
export class Problem extends Error {
  constructor(kind, { message = "", code = "", retryAfterS = 0 } = {}) {
    super(message);
    Object.assign(this, { kind, code, retryAfterS });
  }
}

export class Api {
  constructor(base) {
    this.base = base;
  }

  // {session_id, session_token}
  start(customerToken, signal) {
    return this.#json("v1/sessions", { signal, body: customerToken ? { customer_token: customerToken } : {} });
  }

  identify(session, customerToken, signal) {
    return this.#json(`${path(session)}/identify`, { session, signal, body: { customer_token: customerToken } });
  }

  // {messages}, at most 500; the stream gives what comes after them
  history(session, signal) {
    return this.#json(`${path(session)}/messages`, { session, signal });
  }

  // rating: {seq, rating: "up" or "down", text}
  rate(session, rating) {
    return this.#json(`${path(session)}/feedback`, { session, body: rating });
  }

  // Yields the events "act" and "delta", and ends with the reply: {name: "reply", data}.
  async *say(session, message, signal) {
    const response = await this.#ask(`${path(session)}/messages`, { session, signal, body: message, isStream: true });
    for await (const event of this.#events(response)) {
      if (event.name === "error") throw problemOf(event.data.status, event.data.error, event.data.retry_after_s);
      yield event;
      if (event.name === "reply") return;
    }
    throw new Problem("lost");
  }

  // Yields "message", "mode" and "end" for as long as the connection holds.
  async *follow(session, after, signal) {
    const response = await this.#ask(`${path(session)}/events?after=${after}`, { session, signal, isStream: true });
    yield* this.#events(response);
  }

  async *#events(response) {
    try {
      yield* readEvents(response);
    } catch {
      throw new Problem("lost");
    }
  }

  async #json(where, options) {
    const response = await this.#ask(where, options);
    if (response.status === 204) return null;
    try {
      return await response.json();
    } catch {
      throw new Problem("lost");
    }
  }

  async #ask(where, { session, signal, body, isStream = false }) {
    const headers = { Accept: isStream ? "text/event-stream" : "application/json" };
    if (session) headers.Authorization = `Bearer ${session.token}`;
    if (body) headers["Content-Type"] = "application/json";
    const slow = new AbortController();
    const timer = setTimeout(() => slow.abort(), TIMEOUT_MS);
    const signals = AbortSignal.any([slow.signal, ...(signal ? [signal] : [])]);
    const request = { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal: signals };
    let response;
    try {
      response = await fetch(new URL(where, this.base), { ...request, credentials: "omit", cache: "no-store" });
    } catch {
      throw new Problem("lost");
    }
    if (isStream) clearTimeout(timer); // how long a stream may be silent is another question
    if (response.ok) return response;
    const told = await response.json().catch(() => null);
    throw problemOf(response.status, told?.error, Number(response.headers.get("Retry-After")));
  }
}

const path = (session) => `v1/sessions/${encodeURIComponent(session.id)}`;

function problemOf(status, error, retryAfterS) {
  const [message, code] = [String(error?.message ?? ""), String(error?.code ?? "")];
  return new Problem(KINDS[status] ?? "failed", { message, code, retryAfterS: retryAfterS || 0 });
}
