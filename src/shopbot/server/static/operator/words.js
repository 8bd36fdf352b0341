// How things are called and written on the page.

export const MODES = { bot: "bot answers", waiting: "waits", human: "with" };
export const OUTCOMES = {
  answered: "answered", asked: "asked back", failed: "failed", handed_off: "handed off", said: "said", wrote: "wrote",
};

// "Ada Example", "ada_example_1234", or a visitor nobody knows.
export function nameOf(session) {
  return session.customer?.name ?? session.customer_id ?? `Visitor ${session.session_id.slice(0, 6)}`;
}

export function modeOf(session) {
  return session.mode === "human" ? `with ${session.agent ?? "a human agent"}` : MODES[session.mode];
}

export const turnsOf = ({ turns }) => (turns === 1 ? "1 turn" : `${turns} turns`);

const AGO = [[86_400, "d"], [3600, "h"], [60, "min"]];

// "now", "5 min", "2 h", "3 d"
export function age(time) {
  const seconds = (Date.now() - Date.parse(time)) / 1000;
  const [size, unit] = AGO.find(([limit]) => seconds >= limit) ?? [0, ""];
  return size ? `${Math.floor(seconds / size)} ${unit}` : "now";
}

const CLOCK = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
export const clock = (time) => CLOCK.format(new Date(time));
export const percent = (share) => `${Math.round(100 * share)} %`;

// cancel_order(order="#W1")
export function actText({ name, arguments: words }) {
  return `${name}(${Object.entries(words).map(([slot, value]) => `${slot}=${JSON.stringify(value)}`).join(", ")})`;
}

// 16 random bytes; crypto.randomUUID is there on https only.
export const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
