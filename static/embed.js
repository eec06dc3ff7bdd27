// Shows the portal in a frame where this script stands: <script src="…/embed.js" data-page="login"></script>
// Its other options: docs/embedding.md.
(() => {
  "use strict";
  const complain = (words) => console.error(`portal: ${words}`);
  const script = document.currentScript;
  if (!script) return complain("load embed.js with a plain <script src>, not as a module or by import");
  const { page = "login", element, locale, theme, nonce, returnUrl, state, title, minHeight, maxHeight } = script.dataset;
  const portal = new URL(script.src).origin;
  const url = new URL(page.replace(/^\/?/, "/"), portal);
  if (url.origin !== portal) return complain("data-page must be a page of the portal");
  if (nonce && !/^[\w-]{22,128}$/.test(nonce)) complain("data-nonce needs 22 to 128 of A-Z a-z 0-9 _ -");
  const said = {
    nonce: nonce || crypto.randomUUID(),
    return_url: returnUrl || location.origin + location.pathname + location.search,
    state,
    locale,
    theme,
  };
  for (const name in said) if (said[name]) url.searchParams.set(name, said[name]);

  const show = (place) => {
    // If the script is loaded or run twice for one place, make one frame.
    if (place.portal) return;
    const frame = document.createElement("iframe");
    frame.src = url;
    frame.name = `portal:${said.nonce}`;
    frame.title = title || "Customer account";
    frame.allow = `publickey-credentials-get ${portal}`;
    // No style attribute, which a content security policy may block.
    Object.assign(frame.style, { border: 0, display: "block", width: "100%" });
    const least = Number(minHeight) || 200;
    const most = Number(maxHeight) || 4000;
    const setHeight = (height) => (frame.style.height = `${Math.min(Math.max(height, least), most)}px`);
    setHeight(420);

    const hear = ({ origin, source, data }) => {
      if (origin !== portal || source !== frame.contentWindow || data?.source !== "portal" || data.v !== 1) return;
      const { type, height, code } = data;
      let detail = {};
      if (type === "resize" && Number.isFinite(height)) {
        detail = { height };
        setHeight(Math.ceil(height));
      } else if (type === "signed-in" && typeof code === "string") detail = { code, nonce: said.nonce };
      else if (type !== "signed-out") return;
      place.dispatchEvent(new CustomEvent(`portal:${type}`, { bubbles: true, detail }));
    };
    const remove = () => {
      removeEventListener("message", hear);
      watch.disconnect();
      frame.remove();
      delete place.portal;
    };
    // The site may remove the frame from the page.
    const watch = new MutationObserver(() => frame.isConnected || remove());
    addEventListener("message", hear);
    place.append(frame);
    watch.observe(document.documentElement, { childList: true, subtree: true });
    place.portal = { frame, remove };
  };

  const find = () => {
    const place = document.querySelector(element);
    if (place) return show(place);
    if (document.readyState === "loading") return addEventListener("DOMContentLoaded", find, { once: true });
    complain(`nothing on this page matches ${element}`);
  };
  if (element) return find();
  if (!script.closest("body")) return complain("move this script to where the frame goes, or name a data-element");
  const place = document.createElement("div");
  script.after(place);
  show(place);
})();
