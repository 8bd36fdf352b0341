// The chat in a page: <script src="https://bot.example/widget.js" data-shop="…" defer></script>. See docs/widget.md.
"use strict";
{
  const script = document.currentScript;
  import(new URL("widget/VERSION/main.js", script.src)).then(({ start }) => start(script)).catch((error) => {
    const remedy = `Does it run, and is ${location.origin} in its server.cors_origins?`;
    console.error(`shopbot: the chat of ${new URL(script.src).origin} cannot be shown. ${remedy}`, error);
  });
}
