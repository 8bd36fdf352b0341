// What survives a reload. Without storage (private mode, a full disk) the conversation lasts until the page is left.

// area: "localStorage" or "sessionStorage". isSound says whether what was found is ours; anything may be stored there.
export function shelf(area, name, isSound) {
  return {
    load() {
      try {
        const kept = JSON.parse(window[area].getItem(name));
        return isSound(kept) ? kept : null;
      } catch {
        return null;
      }
    },
    save(value) {
      try {
        if (value === null) window[area].removeItem(name);
        else window[area].setItem(name, JSON.stringify(value));
      } catch {
        // see above
      }
    },
  };
}

// What a conversation keeps: the session, for other tabs too if it remembers, and the unsent message, which each tab sends itself.
export function conversationShelves(base, remembers) {
  return {
    session: shelf(remembers ? "localStorage" : "sessionStorage", `shopbot ${base}`, isSession),
    unsent: shelf("sessionStorage", `shopbot ${base} unsent`, isUnsent),
  };
}

const isText = (value) => typeof value === "string";

const isSession = (kept) => isText(kept?.id) && isText(kept.token) && kept.mode in { bot: 1, waiting: 1, human: 1 };
const isUnsent = (kept) => isText(kept?.text) && isText(kept.request_id);
