// Thumbs up or down for an answer, and what was wrong with it. Feedback sent later replaces what was sent before.
import { element, icon } from "./dom.js";
import * as texts from "./texts.js";

const MOST_CHARS = 1000;

export class Rating {
  #send;
  #buttons = {};
  #told = element("span", { className: "told", role: "status" });
  #form = null;

  // send(rating, text) gives a promise
  constructor(send) {
    this.#send = send;
    for (const [rating, label] of [["up", texts.RATE_UP], ["down", texts.RATE_DOWN]]) {
      const onclick = () => this.#rate(rating);
      this.#buttons[rating] = element("button", { type: "button", className: "thumb", ariaLabel: label, title: label, onclick }, icon(rating));
    }
    this.node = element("div", { className: "rating" }, Object.values(this.#buttons), this.#told);
  }

  // isAsked: whether to offer it where nothing has been said yet.
  update(feedback, isAsked) {
    for (const [rating, button] of Object.entries(this.#buttons)) button.ariaPressed = String(feedback?.rating === rating);
    if (!isAsked && this.#form?.elements.text.value === "") this.#closeForm();
    this.node.hidden = !feedback && !isAsked && !this.#form;
  }

  async #rate(rating) {
    if (!(await this.#tell(rating, ""))) return;
    this.#closeForm();
    if (rating === "up") return;
    this.#form = this.#ask();
    this.node.append(this.#form);
    this.#form.elements.text.focus();
  }

  #closeForm() {
    this.#form?.remove();
    this.#form = null;
  }

  #ask() {
    const field = element("textarea", { name: "text", rows: 2, maxLength: MOST_CHARS });
    const onsubmit = async (event) => {
      event.preventDefault();
      if (field.value.trim() && !(await this.#tell("down", field.value.trim()))) return;
      this.#buttons.down.focus();
      this.#closeForm();
    };
    const label = element("label", {}, texts.WHAT_WAS_WRONG, field);
    return element("form", { onsubmit }, label, element("button", { className: "quiet" }, texts.SEND_FEEDBACK));
  }

  async #tell(rating, text) {
    try {
      await this.#send(rating, text);
    } catch {
      this.#told.textContent = texts.FEEDBACK_FAILED;
      return false;
    }
    this.#told.textContent = texts.RATED[rating];
    return true;
  }
}
