// Pieces that several sections are made of.
import { element } from "./dom.js";
import { actText, percent } from "./words.js";

export const button = (text, onclick, className = "") => element("button", { type: "button", className, onclick }, text);
export const soft = (text) => element("p", { className: "soft" }, text);

// What was understood, each with how sure it was; a low one stands out.
export function acts(list) {
  const shown = list.map((act) => {
    const sure = element("span", { className: act.confidence < 0.6 ? "unsure" : "sure" }, ` ${percent(act.confidence)}`);
    return element("li", {}, element("code", {}, actText(act)), sure);
  });
  return shown.length ? element("ul", { className: "acts", ariaLabel: "Understood" }, shown) : null;
}

// What the customer thought of an answer.
export function rated({ rating, text }) {
  const found = rating === "up" ? "Found helpful" : "Not found helpful";
  return element("p", { className: "feedback" }, text ? `${found}: ${text}` : found);
}

// rows: arrays of nodes and texts; the first cell names the row.
export function table(caption, columns, rows) {
  const head = element("tr", {}, columns.map((name) => element("th", { scope: "col" }, name)));
  const body = rows.map((cells) =>
    element("tr", {}, cells.map((cell, place) =>
      place ? element("td", {}, cell ?? "") : element("th", { scope: "row" }, cell ?? ""))));
  const inner = element("table", {}, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, body));
  return element("div", { className: "table", tabIndex: 0, role: "group", ariaLabel: caption }, inner);
}

// Asks before something that matters; resolves to whether it was confirmed.
export function confirmed(question, yes) {
  return new Promise((resolve) => {
    const form = element("form", { method: "dialog" },
      element("p", { id: "question" }, question),
      element("div", { className: "buttons" },
        element("button", { value: "yes", className: "primary" }, yes),
        element("button", { value: "no", autofocus: true }, "Cancel")));
    const dialog = element("dialog", {}, form);
    dialog.setAttribute("aria-labelledby", "question");
    const before = document.activeElement;
    dialog.addEventListener("close", () => {
      dialog.remove();
      before?.focus?.();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// A list that grows page by page: load(cursor) gives {rows, next}, draw(row) gives a node.
export function pages(list, load, draw, nothing) {
  const more = button("Show more", () => step());
  const told = element("p", { className: "soft", role: "status" });
  let next = null;
  async function step() {
    more.disabled = true;
    try {
      const page = await load(next);
      list.append(...page.rows.map(draw));
      next = page.next;
      told.textContent = list.children.length ? "" : nothing;
    } finally {
      more.hidden = !next;
      more.disabled = false;
    }
  }
  const started = step();
  more.hidden = true;
  return { node: element("div", {}, list, told, more), started };
}
