// A customer's conversation: the session, what was said in it, and the one message that has not been answered yet.
//
// There is one unsent message at most. Were there a queue, a "yes" in it would confirm what is read back only after the
// message before it, which the customer had not seen.
import { Problem } from "./api.js";
import { Follower } from "./follower.js";
import { Messages } from "./messages.js";
import { Patience, backoff } from "./patience.js";
import { regainSession, startSession } from "./session.js";
import { conversationShelves } from "./storage.js";
import { FAILED, ENDED, LOST, LOST_IDLE, WAIT } from "./texts.js";

const TRIES_AFTER_FAILURE = 3;

export class Conversation {
  messages = new Messages();
  mode = "bot";
  agent = null; // the human agent's name, where one has the session
  stage = ""; // of the message under way: "sending", "reading" or "answering"
  problem = null; // {text, canRetry}
  isCatchingUp = false; // with what was said before the page was loaded, which is no news
  #api;
  #onChange;
  #customerToken;
  #kept;
  #session = null; // see session.js
  #unsent = null; // {text, request_id}
  #life = new AbortController();
  #patience = new Patience();
  #isWatched = false;
  #answeredSeq = 0; // the number of the latest answer; who answers was known with it
  #follower;
  #ready = Promise.resolve();

  // remembers: whether another tab, and the next day, go on with the session.
  constructor({ api, customerToken, remembers, onChange }) {
    this.#api = api;
    this.#onChange = onChange;
    this.#follower = new Follower(api, this.#patience, {
      onHistory: (messages) => this.#onHistory(messages),
      onEvent: (event) => this.#onEvent(event),
      onProblem: (problem) => this.#onProblem(problem),
    });
    this.#customerToken = customerToken;
    this.#kept = conversationShelves(api.base, remembers);
  }

  // Go on where the page was left. Nothing is shown or sent before it is known whose session that was.
  async resume() {
    const kept = this.#kept.session.load();
    this.#unsent = this.#kept.unsent.load();
    if (kept) this.#ready = this.#regain(kept);
    await this.#ready;
    if (!this.#unsent || this.stage) return;
    this.messages.say(this.#unsent.text, this.#unsent.request_id);
    this.#deliver();
  }

  async #regain(kept) {
    for (let tries = 0; !this.#life.signal.aborted; tries += 1) {
      try {
        const session = await regainSession(this.#api, kept, this.#customerToken, this.#life.signal);
        if (session) this.#enter(session);
        else this.#disown();
        break;
      } catch (problem) {
        this.#isCutOff(true);
        await this.#patience.wait(problem.retryAfterS || backoff(tries));
      }
    }
    this.#isCutOff(false);
  }

  // What was kept is somebody else's. What has been said since the page was loaded is not.
  #disown() {
    this.#setSession(null);
    if (!this.stage) this.#setUnsent(null);
  }

  get hasUnsent() {
    return this.#unsent !== null;
  }

  // Say something; false if the message before has not been answered yet.
  say(text) {
    if (this.#unsent) return false;
    this.problem = null;
    this.#setUnsent({ text, request_id: newRequestId() });
    this.messages.say(text, this.#unsent.request_id);
    this.#changed();
    this.#deliver();
    return true;
  }

  // Try again now what is waited for.
  retry() {
    this.#patience.cutShort();
  }

  // Whether somebody looks: only then, or when a human agent may write, is what comes followed.
  watch(isWatched) {
    this.#isWatched = isWatched;
    this.#follow();
  }

  async rate(entry, rating, text) {
    await this.#api.rate(this.#session, { seq: entry.seq, rating, text });
    entry.feedback = { rating, text };
    this.#changed();
  }

  // Leave it for good: nothing of it is kept in the browser, and nothing more is shown.
  end() {
    this.#onChange = () => {};
    this.#life.abort();
    this.#follower.stop();
    this.#patience.cutShort();
    this.#setSession(null);
    this.#setUnsent(null);
  }

  async #deliver() {
    if (this.stage || !this.#unsent) return;
    for (let tries = 0; this.#unsent && !this.#life.signal.aborted; tries += 1) {
      this.stage = "sending";
      this.#changed();
      await this.#ready;
      try {
        await this.#deliverOnce();
        this.problem = null;
      } catch (problem) {
        if (!this.#life.signal.aborted) await this.#overcome(problem, tries);
      }
    }
    this.stage = "";
    this.#changed();
  }

  async #deliverOnce() {
    if (!this.#session) this.#enter(await startSession(this.#api, this.#customerToken, this.#life.signal));
    const message = this.#unsent;
    this.messages.dropDraft(message.request_id);
    if (this.mode !== "human") this.stage = "reading";
    this.#changed();
    for await (const { name, data } of this.#api.say(this.#session, message, this.#life.signal)) {
      this.problem = null;
      if (name === "act") this.stage = "answering";
      if (name === "delta") this.messages.draft(message.request_id, data.text);
      if (name === "reply") this.#onReply(message.request_id, data);
      this.#changed();
    }
  }

  #onReply(requestId, reply) {
    this.messages.answer(requestId, reply);
    this.#answeredSeq = reply.seq ?? this.#answeredSeq;
    if (reply.handoff) this.#setMode(reply.reply ? "waiting" : "human");
    this.#answered(requestId);
  }

  // It may come both ways, as the answer to the message and as one of the messages that are followed.
  #answered(requestId) {
    if (this.#unsent?.request_id !== requestId) return;
    this.#setUnsent(null);
    this.problem = null;
    this.#patience.cutShort();
  }

  // Make the next try possible: wait, begin a new session, or give the message up.
  async #overcome(problem, tries) {
    if (!(problem instanceof Problem)) console.error(problem); // a defect of ours
    const { kind = "failed", message, retryAfterS = 0 } = problem;
    if (kind === "ended" && this.#session && tries < TRIES_AFTER_FAILURE) {
      this.#sessionEnded();
      return;
    }
    if (kind === "refused") {
      this.messages.refuse(this.#unsent.request_id);
      this.#setUnsent(null);
      this.problem = { text: message || FAILED, canRetry: false };
      return;
    }
    const isHopeless = kind !== "lost" && kind !== "busy" && tries >= TRIES_AFTER_FAILURE; // it is not the connection
    const seconds = isHopeless ? Infinity : retryAfterS || backoff(tries);
    const texts = { lost: LOST, busy: WAIT(message, Math.ceil(seconds)) };
    this.problem = { text: texts[kind] ?? FAILED, canRetry: kind !== "busy" };
    this.stage = "waiting";
    this.#changed();
    await this.#patience.wait(seconds);
  }

  #follow() {
    const isFollowable = this.#session && (this.#isWatched || this.mode !== "bot") && !this.#life.signal.aborted;
    if (isFollowable) this.#follower.start(this.#session);
    else this.#follower.stop();
  }

  #onHistory(messages) {
    this.isCatchingUp = true;
    for (const message of messages) this.messages.place(message);
    this.#changed();
  }

  #onEvent({ name, data }) {
    this.isCatchingUp = false;
    this.#isCutOff(false);
    if (name === "mode" && data.last_seq >= this.#answeredSeq) this.#setMode(data.mode, data.agent);
    if (name === "message") this.#onMessage(data);
    if (name === "end" && data.reason === "forgotten") this.#sessionEnded();
    this.#changed();
  }

  #onMessage(message) {
    this.messages.place(message);
    if (message.role === "bot" && message.request_id === this.#unsent?.request_id) this.#answered(message.request_id);
  }

  #onProblem({ kind }) {
    if (kind === "ended") this.#sessionEnded();
    else if (kind === "lost" && !this.problem) this.#isCutOff(true);
  }

  // Nobody waits for an answer, but nothing can come either.
  #isCutOff(is) {
    if (is) this.problem = { text: LOST_IDLE, canRetry: true };
    else if (this.problem?.text === LOST_IDLE) this.problem = null;
    this.#changed();
  }

  #sessionEnded() {
    if (!this.#session) return;
    this.messages.endSession(ENDED);
    this.#setSession(null);
    this.#changed();
  }

  #enter(session) {
    this.mode = session.mode;
    this.#setSession(session);
  }

  #setMode(mode, agent = this.agent) {
    Object.assign(this, { mode, agent });
    if (this.#session) this.#setSession({ ...this.#session, mode });
  }

  #setSession(session) {
    if (!session) {
      Object.assign(this, { mode: "bot", agent: null });
      this.#answeredSeq = 0;
    }
    this.#session = session;
    this.#kept.session.save(session);
    this.#follow();
  }

  #setUnsent(unsent) {
    this.#unsent = unsent;
    this.#kept.unsent.save(unsent);
  }

  #changed() {
    this.#onChange();
  }
}

function newRequestId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is not there on plain HTTP
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
