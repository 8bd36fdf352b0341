// What was said, in order. An entry is {id, role, name, text, seq, requestId, awaiting, cards, feedback, state}: name is a human
// agent's; seq is its number in the session, null before it is known; state is "" or, of the customer's, "unsent" or "refused",
// or, of the bot's, "draft".

export class Messages {
  #ended = []; // of sessions that are over
  #said = [];
  #count = 0;

  get all() {
    return [...this.#ended, ...this.#said];
  }

  // What the bot asked for, if nothing was said since.
  get awaiting() {
    const last = this.#said.at(-1);
    return last?.role === "bot" && last.state !== "draft" ? last.awaiting : null;
  }

  // The customer's message before the service has it.
  say(text, requestId) {
    this.#entry({ role: "customer", text, request_id: requestId }).state = "unsent";
  }

  refuse(requestId) {
    const entry = this.#find("customer", requestId);
    if (entry) entry.state = "refused";
  }

  // The next piece of an answer under way.
  draft(requestId, piece) {
    const entry = this.#find("bot", requestId) ?? this.#entry({ role: "bot", text: "", request_id: requestId, isDraft: true });
    if (entry.state === "draft") entry.text += piece;
  }

  // Before a message is sent again, what came of the answer until the connection broke off.
  dropDraft(requestId) {
    this.#said = this.#said.filter((entry) => entry.state !== "draft" || entry.requestId !== requestId);
  }

  // The whole answer to a message; none while a human agent has the session.
  answer(requestId, reply) {
    const asked = this.#find("customer", requestId);
    if (asked) asked.state = "";
    if (reply.reply) this.place({ role: "bot", text: reply.reply, seq: reply.seq, request_id: requestId, payload: reply });
  }

  // A message as the API gives it. It may be there already: from the answer, from another stream, or unsent.
  place(message) {
    const entry =
      this.#said.find(({ seq }) => seq !== null && seq === message.seq) ??
      this.#find(message.role, message.request_id) ??
      this.#entry(message);
    const { awaiting, cards, name } = message.payload ?? {};
    Object.assign(entry, { text: String(message.text), seq: message.seq ?? entry.seq, state: "" });
    Object.assign(entry, { awaiting: awaiting ?? null, cards: Array.isArray(cards) ? cards : [] });
    entry.name = typeof name === "string" ? name : "";
    entry.feedback = message.feedback ?? entry.feedback;
  }

  // Begin a new session below what was said in the old one. What is unsent goes to the new one.
  endSession(note) {
    const unsent = this.#said.filter(({ state }) => state === "unsent");
    const over = this.#said.filter(({ state }) => state !== "unsent" && state !== "draft");
    this.#ended.push(...over.map((entry) => ({ ...entry, seq: null })));
    if (this.#ended.length > 0) this.#ended.push({ ...this.#blank("note"), text: note });
    this.#said = unsent;
  }

  #find(role, requestId) {
    return requestId ? this.#said.find((entry) => entry.role === role && entry.requestId === requestId) : undefined;
  }

  #entry({ role, text, seq = null, request_id: requestId = null, isDraft = false }) {
    const entry = { ...this.#blank(role), text, seq, requestId, state: isDraft ? "draft" : "" };
    const later = this.#said.findIndex((other) => seq !== null && other.seq !== null && other.seq > seq);
    this.#said.splice(later < 0 ? this.#said.length : later, 0, entry);
    return entry;
  }

  #blank(role) {
    this.#count += 1;
    return { id: this.#count, role, name: "", text: "", seq: null, requestId: null, awaiting: null, cards: [], feedback: null, state: "" };
  }
}
