// The element <shopbot-chat>: what the script's data attributes say, put together.
import { Api } from "./api.js";
import { Conversation } from "./conversation.js";
import { Dialog } from "./dialog.js";
import { element } from "./dom.js";
import { Panel } from "./panel.js";
import { settings as served } from "./settings.js";
import { shelf } from "./storage.js";
import { RESTART_SURE, TITLE } from "./texts.js";

const base = new URL("../..", import.meta.url).href;

// Add the chat to the page of this script element, with its data attributes as docs/widget.md lists them.
export async function start(script) {
  const { shop, greeting, layout, customerToken, remember, starters, scheme, side } = script.dataset;
  const sheet = new CSSStyleSheet();
  const style = await fetch(new URL("widget.css", import.meta.url), { credentials: "omit" });
  if (!style.ok) throw new Error(`the style sheet: status ${style.status}`);
  await sheet.replace(await style.text());
  if (!customElements.get("shopbot-chat")) customElements.define("shopbot-chat", ShopbotChat);
  const chat = document.createElement("shopbot-chat");
  Object.assign(chat.dataset, { layout: layout === "page" ? "page" : "dialog", scheme: scheme ?? "auto", side: side ?? "right" });
  chat.begin(sheet, {
    shop: shop || served.shop,
    greeting: greeting || served.greeting,
    maxChars: served.max_chars,
    starters: (starters ?? "").split("|").map((words) => words.trim()).filter(Boolean),
    customerToken: customerToken ?? "",
    remembers: remember !== undefined,
  });
  if (layout === "page") script.after(chat);
  else document.body.append(chat);
}

class ShopbotChat extends HTMLElement {
  #settings;
  #panel;
  #dialog = null; // none where the chat is the page
  #conversation = null;
  #wasOpen = shelf("sessionStorage", `shopbot ${base} open`, (kept) => kept === true);
  #seen = 0; // messages, when somebody last looked
  #isStale = false;

  begin(sheet, settings) {
    const isPage = this.dataset.layout === "page";
    this.#settings = settings;
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    const look = isPage ? { heading: "h1", role: "region" } : { heading: "h2", role: "dialog" };
    const told = { onRestart: () => this.#askToRestart(), onClose: isPage ? null : () => this.close() };
    this.#panel = new Panel({ ...settings, ...look }, told);
    const inside = element("div", { className: "root", lang: "en" }, this.#panel.node);
    root.append(inside);
    if (!isPage) {
      this.#dialog = new Dialog(this.#panel, () => this.#onToggle());
      inside.append(this.#dialog.button);
      this.role = "complementary";
      this.ariaLabel = TITLE;
    }
    this.#converse();
    this.#conversation.resume();
    if (this.#wasOpen.load()) this.#dialog?.open({ takesFocus: false });
    addEventListener("online", () => this.#conversation.retry());
    document.addEventListener("visibilitychange", () => this.#watch());
    visualViewport?.addEventListener("resize", () => this.#fit());
    this.#fit();
  }

  open() {
    this.#dialog?.open();
  }

  close() {
    this.#dialog?.close();
  }

  // Forget the conversation and begin a new one; for a merchant's "sign out", too.
  restart() {
    this.#conversation.end();
    this.#converse();
    if (!this.#dialog || this.#dialog.isOpen) this.#panel.focus();
  }

  // One click is not to lose a human agent.
  #askToRestart() {
    if (this.#conversation.mode === "bot" || confirm(RESTART_SURE)) this.restart();
  }

  #converse() {
    const { customerToken, remembers } = this.#settings;
    this.#conversation = new Conversation({ api: new Api(base), customerToken, remembers, onChange: () => this.#change() });
    this.#seen = 0;
    this.#panel.show(this.#conversation);
    this.#watch();
  }

  #onToggle() {
    this.#wasOpen.save(this.#dialog.isOpen || null);
    this.#seen = this.#heard();
    this.#watch();
    this.#panel.render();
  }

  #watch() {
    this.#conversation.watch(!document.hidden && (this.#dialog?.isOpen ?? true));
  }

  // At most once a frame, however much comes at once.
  #change() {
    if (this.#isStale) return;
    this.#isStale = true;
    queueMicrotask(() => {
      this.#isStale = false;
      this.#panel.render();
      if (this.#dialog?.isOpen ?? true) this.#seen = this.#heard();
      else this.#dialog.showUnread(Math.max(0, this.#heard() - this.#seen));
    });
  }

  #heard() {
    return this.#conversation.messages.all.filter(({ role }) => role === "bot" || role === "agent").length;
  }

  // What is left of the screen above a phone's keyboard.
  #fit() {
    if (visualViewport?.scale === 1) this.style.setProperty("--shopbot-screen", `${visualViewport.height}px`);
  }
}
