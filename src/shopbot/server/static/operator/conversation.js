// One conversation: what was said, what the bot understood, and a human agent's part in it.
import { part } from "./api.js";
import { element } from "./dom.js";
import { message } from "./messages.js";
import { button } from "./parts.js";
import { modeOf, nameOf, newId, turnsOf } from "./words.js";

const drafts = new Map(); // session id → what is being typed, so that a look elsewhere loses nothing

export class Conversation {
  #desk;
  #id;
  #last = 0;
  #isReading = false;
  #isBehind = false;
  #isStopped = false;
  #unsent = null; // {text, request_id} of an answer that nobody knows to have arrived
  #head = element("header", { className: "head" });
  #log = element("div", { className: "log", role: "log", ariaLive: "polite", ariaLabel: "What was said", tabIndex: 0 });
  #bar = element("div", { className: "bar" });

  constructor(pane, desk, id) {
    this.#desk = desk;
    this.#id = id;
    pane.replaceChildren(element("a", { href: "#inbox", className: "back" }, "← All conversations"), this.#head, this.#log, this.#bar);
    this.#read();
  }

  // The inbox has news of this session; null: of another one, or that it has left.
  update(session) {
    if (this.#isStopped) return;
    if (!session) {
      if (this.session && !this.#desk.inbox.sessions.has(this.#id)) this.#read();
      return;
    }
    this.#drawFrame({ ...this.session, ...session });
    if (session.last_seq > this.#last) this.#read();
  }

  stop() {
    this.#isStopped = true;
  }

  async #read() {
    if (this.#isStopped) return;
    if (this.#isReading) {
      this.#isBehind = true;
      return;
    }
    this.#isReading = true;
    try {
      do {
        this.#isBehind = false;
        const session = await this.#desk.api.get(`sessions/${part(this.#id)}`, { after: this.#last });
        if (this.#isStopped) return;
        this.#drawFrame(session);
        this.#add(session.messages);
        if (session.messages.length && this.#last < session.last_seq) this.#isBehind = true;
      } while (this.#isBehind);
    } catch (problem) {
      this.#failed(problem);
    } finally {
      this.#isReading = false;
    }
  }

  #add(messages) {
    const isAtEnd = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 80;
    for (const one of messages.filter(({ seq }) => seq > this.#last)) {
      this.#log.append(message(one, this.#desk.api, this.#id));
      this.#last = one.seq;
    }
    if (isAtEnd) this.#log.scrollTop = this.#log.scrollHeight;
  }

  #drawFrame(session) {
    const before = this.session;
    this.session = session;
    const about = [modeOf(session), turnsOf(session), session.allows_refine === false && "not learnt from"].filter(Boolean);
    const transcript = element("a", { href: `#transcripts/${part(this.#id)}` }, "Transcript");
    this.#head.replaceChildren(
      element("h2", {}, nameOf(session)),
      element("p", { className: "soft" }, about.join(" · "), " · ", transcript),
      session.ticket && element("details", { className: "ticket" },
        element("summary", {}, `Ticket ${session.ticket.id}: ${session.ticket.reason}`),
        element("p", {}, session.ticket.summary)) || "");
    if (before?.mode !== session.mode || before?.agent !== session.agent) this.#drawBar(session);
  }

  #drawBar(session) {
    const hadFocus = this.#bar.contains(document.activeElement);
    const isMine = session.mode === "human" && session.agent === this.#desk.me;
    if (isMine) this.#bar.replaceChildren(this.#composer(), ...this.#endings());
    else if (session.mode === "human") this.#bar.replaceChildren(element("p", { className: "soft" }, `${session.agent ?? "A human agent"} has this conversation.`));
    else {
      const close = session.mode === "waiting" && button("Close without answering", () => this.#act("close"));
      this.#bar.replaceChildren(button("Claim this conversation", () => this.#act("claim"), "primary"), close || "");
    }
    if (hadFocus) this.#bar.querySelector("textarea, button")?.focus();
  }

  #endings() {
    return [
      button("Back to the bot", () => this.#act("release", { to: "bot" })),
      button("To a colleague", () => this.#act("release", { to: "waiting" })),
    ];
  }

  #composer() {
    const field = element("textarea", { id: "answer", rows: 2, maxLength: 4000, value: drafts.get(this.#id) ?? "", required: true });
    const send = element("button", { type: "submit", className: "primary" }, "Send");
    const label = element("label", { htmlFor: "answer" }, `Your answer, as ${this.#desk.me}`);
    const form = element("form", { className: "composer" }, label, field, send);
    field.addEventListener("input", () => drafts.set(this.#id, field.value));
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (send.disabled || !field.value.trim()) return;
      send.disabled = true;
      const isSent = await this.#send(field.value);
      send.disabled = false;
      if (isSent) field.value = "";
      field.focus();
    });
    return form;
  }

  // The same text tried again is the same request, so the customer reads it once.
  async #send(text) {
    if (this.#unsent?.text !== text) this.#unsent = { text, request_id: newId() };
    try {
      await this.#desk.api.post(`sessions/${part(this.#id)}/messages`, this.#unsent);
    } catch (problem) {
      this.#failed(problem);
      return false;
    }
    this.#unsent = null;
    drafts.delete(this.#id);
    this.#read();
    return true;
  }

  async #act(name, body) {
    for (const one of this.#bar.querySelectorAll("button")) one.disabled = true;
    try {
      const session = await this.#desk.api.post(`sessions/${part(this.#id)}/${name}`, body);
      this.#desk.inbox.update(session);
      this.update(session);
      this.#bar.querySelector("textarea, button")?.focus();
    } catch (problem) {
      this.#failed(problem);
      this.#read(); // somebody was faster: see how it stands
      for (const one of this.#bar.querySelectorAll("button")) one.disabled = false;
    }
  }

  #failed(problem) {
    if (this.#isStopped) return;
    if (problem.status !== 404) {
      this.#desk.tell(problem);
      return;
    }
    this.stop();
    drafts.delete(this.#id);
    this.#bar.replaceChildren(element("p", { role: "status" }, "There is no such conversation (any more). Customers can end and erase theirs."));
  }
}
