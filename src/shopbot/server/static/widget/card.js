// An order, from the facts that come with a reply. Everything in it is the store's, and shown as text.
import { element } from "./dom.js";
import * as texts from "./texts.js";

const LOCALE = "en-US"; // the bot's language
// How far an order is, of three steps, and how it looks. A status that is not known has neither.
const STAGES = {
  "pending": [1, "open"],
  "pending (item modified)": [1, "open"],
  "processed": [2, "open"],
  "delivered": [3, "good"],
  "return requested": [3, "open"],
  "exchange requested": [3, "open"],
  "cancelled": [0, "bad"],
};

export function orderCard(card, isOpen) {
  const [steps, tone] = Object.hasOwn(STAGES, card.status) ? STAGES[card.status] : [0, "plain"];
  const head = element(
    "summary", {},
    element(
      "span", { className: "which" },
      element("span", { className: "order" }, `${texts.ORDER} ${card.order}`),
      element("span", { className: `status ${tone}` }, card.status),
    ),
    element("span", { className: "amount" }, money(card, card.total)),
  );
  return element(
    "details", { className: "card", open: isOpen },
    head,
    steps > 0 && element("div", { className: `steps s${steps}`, ariaHidden: "true" }, [1, 2, 3].map(() => element("i"))),
    element("ul", {}, card.items.map((item) => itemLine(card, item))),
    card.parcels.map(parcelLine),
    card.placed_on && element("p", {}, `${texts.ORDER} ${texts.PLACED} ${day(card.placed_on)}`),
  );
}

function itemLine(card, { name, options, price, count }) {
  const chosen = Object.entries(options).map(([option, value]) => `${option} ${value}`).join(", ");
  return element(
    "li", {},
    element("span", {}, count > 1 ? `${count} × ${name}` : name, chosen && element("small", {}, chosen)),
    element("span", { className: "amount" }, money(card, price)),
  );
}

function parcelLine({ carrier, tracking_ids: ids, expected_on: expected, delivered_on: delivered }) {
  const when = delivered ? `${texts.DELIVERED} ${day(delivered)}` : expected && `${texts.EXPECTED} ${day(expected)}`;
  const facts = [carrier, ids.length > 0 && `${texts.TRACKING} ${ids.join(", ")}`, when].filter(Boolean);
  return facts.length > 0 && element("p", {}, facts.join(" · "));
}

function money({ currency }, amount) {
  return `${currency}${Number(amount).toLocaleString(LOCALE, { minimumFractionDigits: 2 })}`;
}

function day(iso) {
  const date = new Date(`${iso}T00:00`);
  const isThisYear = date.getFullYear() === new Date().getFullYear();
  return date.toLocaleDateString(LOCALE, { month: "long", day: "numeric", year: isThisYear ? undefined : "numeric" });
}
