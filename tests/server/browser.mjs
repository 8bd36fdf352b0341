// Plays a conversation through chat.js: node browser.mjs CHAT_JS ADDRESS. A browser's worth of objects and no more.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import vm from "node:vm";

const [, , scriptPath, address] = process.argv;
const source = readFileSync(scriptPath, "utf8");

class Element extends EventTarget {
  constructor(tag = "div") {
    super();
    Object.assign(this, { tag, children: [], hidden: false, disabled: false, value: "", className: "", dataset: {}, style: {} });
  }
  #text = "";
  get textContent() { return this.#text + this.children.map((child) => (typeof child === "string" ? child : child.textContent)).join(""); }
  set textContent(text) { this.#text = String(text); this.children = []; }
  append(...more) { this.children.push(...more); }
  replaceChildren(...more) { this.children = more; }
  focus() {}
  click() { this.dispatchEvent(new Event("click")); }
}

const storage = new Map();

function openPage({ fetchWith = fetch } = {}) {
  const elements = new Map();
  const get = (id) => elements.get(id) ?? elements.set(id, new Element()).get(id);
  get("chat").dataset.greeting = "Hello & welcome";
  get("notice").hidden = true;
  get("typing").hidden = true;
  const requests = [];
  const window = new EventTarget();
  const context = vm.createContext({
    document: { getElementById: get, createElement: (tag) => new Element(tag) },
    sessionStorage: { getItem: (key) => storage.get(key) ?? null, setItem: (key, value) => storage.set(key, value) },
    window, crypto, setTimeout, AbortSignal, Error, URL,
    fetch: (path, options) => { requests.push({ path, ...JSON.parse(options.body) }); return fetchWith(new URL(path, address), options); },
  });
  vm.runInContext(source, context);
  const log = () => get("log").children.map((bubble) => bubble.textContent);
  const type = (words) => { get("text").value = words; get("form").dispatchEvent(new Event("submit", { cancelable: true })); };
  const settled = async () => {
    for (let tries = 0; tries < 2000; tries += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (get("typing").hidden) { await new Promise((resolve) => setTimeout(resolve, 5)); if (get("typing").hidden) return; }
      else await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error("the page never settled");
  };
  return { get, log, type, settled, requests, choices: () => get("choices").children };
}

// a first visit: greeting, a question, an answer shown as text
let page = openPage();
assert.deepEqual(page.log(), ["Assistant: Hello & welcome"]);
page.type("when do you open?");
await page.settled();
assert.equal(page.log()[1], "You: when do you open?");
assert.match(page.log()[2], /<b>Really<\/b>/, "markup in an answer is text");

// choices are buttons that say their label and send their number
page.type("wrap it");
await page.settled();
assert.deepEqual(page.choices().map((button) => button.textContent), ["red", "blue"]);
page.choices()[1].click();
page.choices()[1]?.click(); // a double click
await page.settled();
assert.equal(page.log().filter((line) => line === "You: blue").length, 1);
assert.match(page.log().at(-1), /Wrapped in blue paper/);
assert.equal(page.choices().length, 0);

// a reload: the same conversation
const before = page.log();
page = openPage();
await page.settled();
assert.deepEqual(page.log(), before);
assert.equal(page.requests.length, 0);

// a lost connection: the message is kept, said so, and sent again under the same request id
let isDown = true;
page = openPage({ fetchWith: (...parts) => (isDown ? Promise.reject(new TypeError("down")) : fetch(...parts)) });
await page.settled();
page.type("when do you open?");
await page.settled();
assert.equal(page.get("notice").hidden, false);
assert.match(page.get("notice-text").textContent, /connection to the shop was lost/i);
isDown = false;
page.get("retry").click();
await page.settled();
assert.equal(page.get("notice").hidden, true);
assert.equal(new Set(page.requests.map((request) => request.request_id)).size, 1, "one request id for both tries");
assert.match(page.log().at(-1), /We are open/);
assert.equal(page.log().filter((line) => line === "You: when do you open?").length, 2, "shown once each time it was typed");

// yes and no are buttons
storage.set("shopbot", JSON.stringify({ session: null, history: [{ who: "bot", text: "Shall I?" }], awaiting: { kind: "confirmation", choices: [] }, pending: null }));
page = openPage();
assert.deepEqual(page.choices().map((button) => button.textContent), ["Yes", "No"]);

// a session that is gone: said so, no retry; a new conversation starts afresh
storage.set("shopbot", JSON.stringify({ session: { id: "gone", token: "t" }, history: [{ who: "bot", text: "Hi" }], awaiting: null, pending: null }));
page = openPage();
page.type("hello");
await page.settled();
assert.match(page.get("notice-text").textContent, /has ended/);
assert.equal(page.get("retry").hidden, true);
page.get("restart").click();
page.type("when do you open?");
await page.settled();
assert.match(page.log().at(-1), /We are open/);

// what is stored may be anything
for (const rubbish of ["{", "null", "7", '{"history": 3}', '{"history": [{"who": "<b>", "text": null}]}']) {
  storage.set("shopbot", rubbish);
  page = openPage();
  await page.settled();
  assert.ok(page.log().length >= 1, rubbish);
}
