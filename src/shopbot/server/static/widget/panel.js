// The chat's surface: heading, log, what is offered, and the field to write in. It shows a conversation, and changes none.
import { Bubble } from "./bubble.js";
import { element, icon } from "./dom.js";
import * as texts from "./texts.js";

const STAGES = { sending: texts.SENDING, reading: texts.READING, answering: texts.ANSWERING };
const CLOSE_TO_END_PX = 80;

export class Panel {
  #bubbles = new Map(); // by the entry's id
  #conversation;
  #settings;
  #offered = "";

  // settings: {shop, greeting, maxChars, starters, heading, role}; onRestart and onClose (null: cannot be closed) are told
  constructor(settings, { onRestart, onClose }) {
    this.#settings = settings;
    const button = (name, label, onclick) => element("button", { type: "button", className: "icon", ariaLabel: label, title: label, onclick }, icon(name));
    this.note = element("p", { className: "subtitle" });
    this.mode = element("p", { className: "mode", role: "status", hidden: true });
    this.hint = element("p", { className: "note" }, texts.BOT_NOTE_LONG);
    this.log = element("div", { className: "log", role: "log", ariaLive: "polite", ariaLabel: texts.LOG, tabIndex: 0 }, this.hint);
    this.stage = element("p", { className: "stage", role: "status" });
    this.problem = element("span");
    this.retry = element("button", { type: "button", className: "quiet", onclick: () => this.#conversation.retry() }, texts.TRY_AGAIN);
    this.notice = element("div", { className: "notice", role: "alert", hidden: true }, this.problem, this.retry);
    this.choices = element("div", { className: "choices", role: "group", ariaLabel: texts.CHOICES, hidden: true });
    this.field = element("textarea", { rows: 1, placeholder: texts.PLACEHOLDER, enterKeyHint: "send", autocomplete: "off" });
    const send = element("button", { className: "send icon", ariaLabel: texts.SEND, title: texts.SEND }, icon("send"));
    const label = element("label", {}, element("span", { className: "unseen" }, texts.FIELD), this.field);
    this.form = element("form", { onsubmit: (event) => this.#submit(event) }, label, send);
    this.field.addEventListener("keydown", (event) => this.#onKey(event));
    this.field.addEventListener("input", () => this.#fit());
    this.node = element(
      "section", { className: "panel", role: settings.role, ariaLabel: `${settings.shop}: ${texts.TITLE}`, tabIndex: -1 },
      element(
        "header", {},
        element("div", { className: "title" }, element(settings.heading, {}, settings.shop), this.note),
        button("restart", texts.RESTART, onRestart),
        onClose && button("close", texts.CLOSE, onClose),
      ),
      this.mode, this.log, this.stage, this.notice, this.choices, this.form,
    );
    this.#greet();
  }

  // Show this conversation from now on.
  show(conversation) {
    this.#conversation = conversation;
    for (const { node } of this.#bubbles.values()) node.remove();
    this.#bubbles.clear();
    this.render();
  }

  // Put the keyboard where the next message is written; on a touch screen that would cover half the chat with keys.
  focus() {
    (matchMedia("(pointer: coarse)").matches ? this.node : this.field).focus();
  }

  render() {
    const { mode, agent, stage, problem, isCatchingUp } = this.#conversation;
    this.#put(this.note, mode === "human" ? texts.HUMAN_NOTE : texts.BOT_NOTE);
    this.#put(this.mode, mode === "human" && agent ? texts.JOINED(agent) : texts.MODES[mode]);
    this.#put(this.stage, STAGES[stage] ?? "");
    this.log.ariaLive = isCatchingUp ? "off" : "polite";
    this.#renderEntries();
    this.#renderOffers();
    this.warn(problem);
  }

  warn(problem) {
    this.#put(this.problem, problem?.text ?? "");
    this.notice.hidden = !problem;
    this.retry.hidden = !problem?.canRetry;
  }

  #put(node, text) {
    if (node.textContent !== text) node.textContent = text; // only a change is read out
    node.hidden = text === "";
  }

  #greet() {
    const greeting = { role: "bot", name: "", seq: null, cards: [], state: "" };
    const bubble = new Bubble(greeting, null);
    bubble.update(greeting, this.#settings.greeting, false);
    this.log.append(bubble.node);
  }

  #renderEntries() {
    const entries = this.#conversation.messages.all;
    const { awaiting } = this.#conversation.messages;
    const isAtEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < CLOSE_TO_END_PX;
    const latest = entries.findLast(({ role, seq }) => role !== "customer" && seq !== null);
    const added = [];
    const kept = new Set();
    let before = null;
    let place = this.log.children[1]; // below the hint and the greeting
    for (const entry of entries) {
      let bubble = this.#bubbles.get(entry.id);
      if (!bubble) {
        bubble = new Bubble(entry, (...rated) => this.#conversation.rate(...rated));
        this.#bubbles.set(entry.id, bubble);
        added.push([entry, bubble]);
      }
      bubble.update(entry, shownText(entry, before, awaiting), entry === latest);
      if (place.nextSibling !== bubble.node) place.after(bubble.node);
      place = bubble.node;
      kept.add(entry.id);
      before = entry;
    }
    for (const [id, { node }] of this.#bubbles) {
      if (kept.has(id)) continue;
      node.remove();
      this.#bubbles.delete(id);
    }
    this.log.ariaBusy = String(entries.some(({ state }) => state === "draft"));
    if (isAtEnd || added.some(([entry]) => entry.role === "customer")) this.#scroll(added.at(-1)?.[1].node);
  }

  // To the end, but not past the beginning of what is new: a long answer is read from its top.
  #scroll(newest) {
    const end = this.log.scrollHeight - this.log.clientHeight;
    this.log.scrollTop = newest ? Math.min(end, newest.offsetTop - this.log.offsetTop - 8) : end;
  }

  // What a click can say: yes or no to what was read back, one of the choices, or what one may begin with.
  #renderOffers() {
    const { messages, hasUnsent, mode } = this.#conversation;
    const offers = hasUnsent || mode === "human" ? [] : this.#offers(messages);
    const offered = JSON.stringify(offers);
    if (offered === this.#offered) return;
    this.#offered = offered;
    const hadFocus = this.choices.contains(this.choices.getRootNode().activeElement);
    this.choices.replaceChildren(
      ...offers.map(([label, words, className = ""]) => element("button", { type: "button", className, onclick: () => this.#say(words) }, label)),
    );
    this.choices.hidden = offers.length === 0;
    if (hadFocus) this.focus();
  }

  #offers({ awaiting, all }) {
    if (awaiting?.kind === "confirmation") return [[texts.YES, "yes", "main"], [texts.NO, "no"]];
    if (awaiting) return choicesOf(awaiting).map((label, index) => [label, String(index + 1)]);
    return all.length === 0 ? this.#settings.starters.map((words) => [words, words]) : [];
  }

  #say(words) {
    if (this.#conversation.say(words)) return true;
    this.warn({ text: texts.UNSENT_FIRST, canRetry: true });
    return false;
  }

  #submit(event) {
    event.preventDefault();
    const words = this.field.value;
    const { maxChars } = this.#settings;
    if ([...words].length > maxChars) this.warn({ text: texts.TOO_LONG(maxChars), canRetry: false }); // and nothing is cut off
    else if (words.trim() && this.#say(words)) this.#clear();
  }

  #clear() {
    this.field.value = "";
    this.#fit();
  }

  #onKey(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.form.requestSubmit();
  }

  // The field grows with its text, as far as the style sheet allows.
  #fit() {
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight}px`;
  }
}

const choicesOf = (awaiting) => (Array.isArray(awaiting?.choices) ? awaiting.choices.map(String) : []);

// Choices that are buttons now need not stand in the text, and a number that chose one is shown as what it chose.
function shownText({ role, text, awaiting }, before, current) {
  if (role === "customer" && /^\d{1,2}$/.test(text)) return choicesOf(before?.awaiting)[Number(text) - 1] ?? text;
  if (!awaiting || awaiting !== current) return text;
  const list = choicesOf(awaiting).map((label, index) => `\n${index + 1}. ${label}`).join("");
  return list && text.endsWith(list) ? text.slice(0, -list.length) : text;
}
