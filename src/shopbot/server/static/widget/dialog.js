// The panel as a dialog over somebody's page: a button that opens it, Escape that closes it, a keyboard that stays in it.
import { element, icon } from "./dom.js";
import { OPEN, OPEN_UNREAD } from "./texts.js";

const FOCUSABLE = "button, textarea, a[href], summary, [tabindex='0']";

export class Dialog {
  isOpen = false;
  #panel;
  #onToggle;
  #badge = element("span", { className: "badge", ariaHidden: "true", hidden: true });
  #returnTo = null;

  // onToggle(isOpen) is told of every opening and closing
  constructor(panel, onToggle) {
    this.#panel = panel;
    this.#onToggle = onToggle;
    const onclick = () => this.open();
    this.button = element("button", { type: "button", className: "launcher", ariaHasPopup: "dialog", onclick }, icon("chat"), this.#badge);
    panel.node.ariaModal = "true";
    panel.node.hidden = true;
    panel.node.addEventListener("keydown", (event) => this.#onKey(event));
    this.showUnread(0);
  }

  // takesFocus: not when a page is loaded in which the chat was open; nobody asked for it just now.
  open({ takesFocus = true } = {}) {
    if (this.isOpen) return;
    this.isOpen = true;
    this.#returnTo = document.activeElement;
    this.#panel.node.hidden = false;
    this.button.hidden = true;
    this.showUnread(0);
    this.#onToggle(true);
    if (takesFocus) this.#panel.focus();
  }

  close() {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#panel.node.hidden = true;
    this.button.hidden = false;
    this.#onToggle(false);
    const opener = this.#returnTo;
    const isElsewhere = opener && opener !== document.body && opener !== this.button.getRootNode().host && opener.isConnected;
    (isElsewhere ? opener : this.button).focus();
  }

  showUnread(count) {
    this.button.ariaLabel = count > 0 ? OPEN_UNREAD(count) : OPEN;
    this.#badge.textContent = String(count);
    this.#badge.hidden = count === 0;
  }

  #onKey(event) {
    if (event.key === "Escape" && !event.isComposing) {
      event.stopPropagation();
      this.close();
    }
    if (event.key !== "Tab") return;
    const stops = [...this.#panel.node.querySelectorAll(FOCUSABLE)].filter((node) => !node.disabled && node.checkVisibility());
    const [first, last] = [stops[0], stops.at(-1)];
    const focused = this.#panel.node.getRootNode().activeElement;
    if (event.shiftKey ? focused === first || focused === this.#panel.node : focused === last) {
      event.preventDefault();
      (event.shiftKey ? last : first).focus();
    }
  }
}
