// Elements from properties and texts: nothing here, or anywhere else in the widget, makes HTML of a text.

// A property per key (className, ariaLabel, onclick, …); children are nodes or texts, and what is empty is left out.
export function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children.flat().filter(Boolean));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  chat: "M4 5h16v11H11l-5 4v-4H4z",
  close: "M6 6l12 12M18 6L6 18",
  restart: "M19 12a7 7 0 1 1-2.2-5.1M19 4v4h-4",
  send: "M5 12h13M12 6l6 6-6 6",
  up: "M8 20H4V10h4zM8 10l4-7c1.6 0 2.4 1 2.2 2.4L13.6 9H19c1.2 0 2 1 1.7 2.2l-1.5 7C19 19.3 18.2 20 17 20H8",
  down: "M8 4H4v10h4zM8 14l4 7c1.6 0 2.4-1 2.2-2.4L13.6 15H19c1.2 0 2-1 1.7-2.2l-1.5-7C19 4.7 18.2 4 17 4H8",
};

// A picture that only decorates; what it means is said by the label of the button around it.
export function icon(name) {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", "0 0 24 24");
  picture.ariaHidden = "true";
  picture.append(path);
  return picture;
}

// Web addresses in a text become links that show themselves; no other scheme does, so "javascript:" stays text.
export function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"“”]*[^\s<>"“”.,;:!?)'\]])/).map((part, place) => {
    if (place % 2 === 0) return part;
    return element("a", { href: part, target: "_blank", rel: "noopener noreferrer nofollow" }, part);
  });
}
