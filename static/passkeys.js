// Passkeys: a button that signs in, confirms or adds one, and at sign-in what the browser offers by itself.
"use strict";

{
  const FRESH = 4 * 60_000; // milliseconds; the server takes an answer for five minutes
  const Keys = window.PublicKeyCredential;
  const box = document.querySelector("[data-passkey]");
  const { passkey: task, party, options: source } = box.dataset;
  const button = box.querySelector("button");
  const [credential, challenge] = box.querySelectorAll("input");

  // JSON, for browsers that do not turn it into what they need themselves.
  const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const toText = (bytes) =>
    btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
  const read = (json) => {
    const native = task === "create" ? "parseCreationOptionsFromJSON" : "parseRequestOptionsFromJSON";
    if (Keys[native]) return Keys[native](json);
    const options = { ...json, challenge: toBytes(json.challenge) };
    if (json.user) options.user = { ...json.user, id: toBytes(json.user.id) };
    for (const list of ["allowCredentials", "excludeCredentials"])
      if (json[list]) options[list] = json[list].map((one) => ({ ...one, id: toBytes(one.id) }));
    return options;
  };
  const write = (made) => {
    try {
      return JSON.stringify(made.toJSON());
    } catch {} // not there, or a password manager's own object
    const response = {};
    for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
      if (made.response[part]) response[part] = toText(made.response[part]);
    const { id, type, authenticatorAttachment } = made;
    const clientExtensionResults = made.getClientExtensionResults();
    return JSON.stringify({ id, rawId: toText(made.rawId), type, authenticatorAttachment, clientExtensionResults, response });
  };

  // What to ask the browser for. One answer of the server serves the button and the browser's own offer.
  let asked = 0;
  let publicKey = null;
  const ask = async () => {
    if (publicKey && Date.now() - asked < FRESH) return publicKey;
    asked = Date.now();
    const body = new URLSearchParams({ csrf_token: button.form.elements.csrf_token.value });
    const headers = document.documentElement.hasAttribute("data-parents") ? { "X-Portal-Framed": "1" } : {};
    const response = await fetch(source, { method: "POST", body, headers, redirect: "manual" });
    const answer = response.ok ? await response.json() : {};
    challenge.value = answer.challenge ?? "";
    publicKey = answer.options ? read(answer.options) : null;
    return publicKey;
  };

  const send = (made) => {
    publicKey = null; // it can be used once
    credential.value = made ? write(made) : "";
    button.form.requestSubmit(button);
  };
  const say = (words) => {
    box.querySelector(".problems")?.remove();
    if (!words) return;
    const problem = box.querySelector("template").content.firstElementChild.cloneNode(true);
    problem.setAttribute("role", "alert");
    problem.querySelector("p").textContent = words;
    box.append(problem);
  };

  // The browser's own offer, in the list of the field for the address. That it was not taken is nothing to tell.
  let offer = null;
  let isPressed = false;
  const suggest = async () => {
    if (isPressed || !(await Keys.isConditionalMediationAvailable?.())) return;
    offer?.abort();
    offer = new AbortController();
    const { signal } = offer;
    try {
      if ((await ask()) && !signal.aborted)
        send(await navigator.credentials.get({ publicKey, mediation: "conditional", signal }));
    } catch {}
  };

  const press = async (event) => {
    event.preventDefault();
    if (isPressed) return;
    isPressed = true;
    offer?.abort();
    say("");
    try {
      // Without options, the server says why when the form is sent.
      send((await ask()) && (await navigator.credentials[task]({ publicKey })));
    } catch ({ name }) {
      say({ NotAllowedError: box.dataset.cancelled, InvalidStateError: box.dataset.known }[name] ?? box.dataset.failed);
    }
    isPressed = false;
    if ("autofill" in box.dataset) suggest();
  };

  // What the browser may forget, or show under another name.
  const tell = (signal, what) => Keys[signal]?.({ rpId: party, ...what }).catch(() => {});
  const { unknown, accepted } = box.dataset;

  const isAllowed = document.featurePolicy?.allowsFeature(`publickey-credentials-${task}`) ?? true; // by the page around a frame
  if (Keys && isAllowed && location.hostname === party) {
    box.hidden = false;
    document.querySelector("[data-without-passkeys]")?.remove();
    button.addEventListener("click", press);
    if ("autofill" in box.dataset) {
      const renew = () => document.hidden || Date.now() - asked < FRESH || suggest();
      addEventListener("load", renew);
      document.addEventListener("visibilitychange", renew);
      setInterval(renew, 30_000);
    }
    if (unknown) tell("signalUnknownCredential", { credentialId: unknown });
    if (accepted) {
      const { userId, allAcceptedCredentialIds, name, displayName } = JSON.parse(accepted);
      tell("signalAllAcceptedCredentials", { userId, allAcceptedCredentialIds });
      tell("signalCurrentUserDetails", { userId, name, displayName });
    }
  }
}
