// Shows the portal in a frame where this script stands: <script src="…/embed.js" data-page="login"></script>
// Options: data-page (login, register, account), data-element (a selector), data-locale, data-theme (light, dark),
// data-nonce, data-return-url, data-state, data-title, data-min-height, data-max-height.
(() => {
  "use strict";
  const script = document.currentScript;
  if (!script) return;
  const { page = "login", element, locale, theme, nonce, returnUrl, state, title, minHeight, maxHeight } = script.dataset;
  const portal = new URL(script.src).origin;
  const place = element ? document.querySelector(element) : document.createElement("div");
  if (!place) return console.error(`portal: nothing on this page matches ${element}`);
  if (!element) script.after(place);
  // Loaded twice for one place, or run again by a framework: one frame.
  if (place.portal) return;

  const said = {
    nonce: nonce || crypto.randomUUID(),
    return_url: returnUrl || location.origin + location.pathname + location.search,
    state,
    locale,
  };
  const url = new URL(page.replace(/^\/?/, "/"), portal);
  if (url.origin !== portal) return;
  for (const name in said) if (said[name]) url.searchParams.set(name, said[name]);

  const frame = document.createElement("iframe");
  frame.src = url;
  frame.title = title || "Customer account";
  frame.allow = `publickey-credentials-get ${portal}`;
  // Properties, not a style attribute: a policy without 'unsafe-inline' stops only the latter.
  Object.assign(frame.style, { border: 0, display: "block", width: "100%", maxWidth: "100%" });
  if (theme) frame.style.colorScheme = theme;
  const least = Number(minHeight) || 200;
  const most = Number(maxHeight) || 4000;
  const setHeight = (height) => (frame.style.height = `${Math.min(Math.max(height, least), most)}px`);
  setHeight(420);

  const hear = ({ origin, source, data }) => {
    if (origin !== portal || source !== frame.contentWindow || data?.source !== "portal" || data.v !== 1) return;
    const { type, height, code } = data;
    if (type === "resize" && Number.isFinite(height)) setHeight(Math.ceil(height));
    else if (type !== "signed-in" && type !== "signed-out") return;
    const detail = type === "resize" ? { height } : type === "signed-in" ? { code, nonce: said.nonce } : {};
    place.dispatchEvent(new CustomEvent(`portal:${type}`, { bubbles: true, detail }));
  };
  const remove = () => {
    removeEventListener("message", hear);
    watch.disconnect();
    frame.remove();
    delete place.portal;
  };
  // Whoever takes the place or the frame out of the page need not think of us.
  const watch = new MutationObserver(() => frame.isConnected || remove());
  addEventListener("message", hear);
  place.append(frame);
  watch.observe(document.documentElement, { childList: true, subtree: true });
  place.portal = { frame, remove };
})();
