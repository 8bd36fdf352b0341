// One entry of the conversation on the screen, kept up to date in place: what somebody types in it must not go away.
import { orderCard } from "./card.js";
import { element, linked } from "./dom.js";
import { Rating } from "./rating.js";
import { NOT_SENT, NOT_TAKEN, WHO } from "./texts.js";

const STATES = { unsent: NOT_SENT, refused: NOT_TAKEN };

export class Bubble {
  #speaker = element("span");
  #text = element("p", { className: "text" });
  #state = element("small", { className: "state", hidden: true });
  #rating = null;
  #shown = null;
  #hasCards = false;

  // onRate(entry, rating, text) gives a promise
  constructor(entry, onRate) {
    if (entry.role === "note") {
      this.node = element("div", { className: "note" }, this.#text);
      return;
    }
    const isOwn = entry.role === "customer";
    this.#speaker.className = entry.role === "agent" ? "who" : "unseen";
    const bubble = element("div", { className: "bubble" }, this.#speaker, this.#text);
    this.node = element("div", { className: isOwn ? "message own" : "message theirs" }, bubble, this.#state);
    if (!isOwn) this.#rating = new Rating((rating, text) => onRate(entry, rating, text));
  }

  // text: as it is to be shown; isLatest: whether it is the answer that feedback is asked for
  update(entry, text, isLatest) {
    const speaker = `${entry.name || WHO[entry.role] || WHO.bot}: `;
    if (speaker + text !== this.#shown) {
      this.#shown = speaker + text; // only a change is touched, for only a change is to be read out
      this.#speaker.textContent = speaker;
      this.#text.replaceChildren(...(entry.role === "customer" ? [text] : linked(text)));
    }
    this.#state.hidden = !(entry.state in STATES);
    this.#state.textContent = STATES[entry.state] ?? "";
    if (!this.#hasCards && entry.cards.length > 0) {
      this.#hasCards = true;
      this.#state.before(...entry.cards.map((card) => orderCard(card, entry.cards.length === 1)));
    }
    if (this.#rating) this.#updateRating(entry, isLatest);
  }

  #updateRating({ seq, feedback }, isLatest) {
    const { node } = this.#rating;
    this.#rating.update(feedback, isLatest);
    if (seq === null) node.remove(); // not said yet, or in a session that is over
    else if (!node.parentNode) this.node.append(node);
  }
}
