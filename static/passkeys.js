// Passkeys: a button, and at sign-in the browser's autofill in the field for the address.
"use strict";

{
  const FRESH = 240_000; // milliseconds; the server accepts an answer for five minutes
  const Keys = window.PublicKeyCredential;
  const box = document.querySelector("[data-passkey]");
  const { passkey: task, party, autofill, unknown, accepted } = box.dataset;
  const button = box.querySelector("button");
  const [credential, challenge] = box.querySelectorAll("input");

  // For browsers that cannot read and write JSON themselves.
  const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const toText = (bytes) =>
    btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
  const read = (json) => {
    const native = task === "create" ? "parseCreationOptionsFromJSON" : "parseRequestOptionsFromJSON";
    if (Keys[native]) return Keys[native](json);
    const withBytes = (one) => one && { ...one, id: toBytes(one.id) };
    return {
      ...json,
      challenge: toBytes(json.challenge),
      user: withBytes(json.user),
      allowCredentials: json.allowCredentials?.map(withBytes),
      excludeCredentials: json.excludeCredentials?.map(withBytes),
    };
  };
  const write = (made) => {
    try {
      return JSON.stringify(made.toJSON());
    } catch {} // also where a password manager puts an object of its own
    const response = {};
    for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
      if (made.response[part]) response[part] = toText(made.response[part]);
    const { id, type } = made;
    return JSON.stringify({ id, type, rawId: toText(made.rawId), clientExtensionResults: {}, response });
  };

  // One response of the server serves the button and autofill.
  let asked = 0;
  let publicKey = null;
  const ask = async () => {
    if (publicKey && Date.now() - asked < FRESH) return true;
    asked = Date.now();
    const body = new URLSearchParams({ csrf_token: button.form.elements.csrf_token.value });
    const headers = framed ? { "X-Portal-Framed": "1" } : {};
    const response = await fetch(box.dataset.options, { method: "POST", body, headers, redirect: "manual" });
    const answer = response.ok ? await response.json() : {};
    challenge.value = answer.challenge ?? "";
    publicKey = answer.options ? read(answer.options) : null;
    return publicKey !== null;
  };
  const send = (made) => {
    publicKey = null; // its challenge is used once
    credential.value = made ? write(made) : "";
    button.form.requestSubmit(button);
  };

  let offer;
  let pressed = false;
  const suggest = async () => {
    if (pressed || !(await Keys.isConditionalMediationAvailable?.())) return;
    offer?.abort();
    const { signal } = (offer = new AbortController());
    try {
      if ((await ask()) && !signal.aborted)
        send(await navigator.credentials.get({ publicKey, mediation: "conditional", signal }));
    } catch {} // not taken
  };
  const press = async (event) => {
    event.preventDefault();
    if (pressed) return;
    pressed = true;
    offer?.abort();
    for (const old of button.form.querySelectorAll(".problems, .notice")) old.remove();
    try {
      // Without an answer the form is sent as it is, and the server says what is wrong.
      send((await ask()) && (await navigator.credentials[task]({ publicKey })));
    } catch ({ name }) {
      const problem = box.querySelector("template").content.firstElementChild.cloneNode(true);
      problem.setAttribute("role", "alert");
      const { cancelled, known, failed } = box.dataset;
      problem.querySelector("p").textContent = { NotAllowedError: cancelled, InvalidStateError: known }[name] ?? failed;
      box.append(problem);
      if (autofill) setTimeout(suggest);
    }
    pressed = false;
  };

  const isAllowed = document.featurePolicy?.allowsFeature(`publickey-credentials-${task}`) ?? true; // in a frame
  if (Keys && isAllowed && location.hostname === party) {
    box.hidden = false;
    document.querySelector("[data-without-passkeys]")?.remove();
    button.addEventListener("click", press);
    if (autofill) {
      const renew = () => document.hidden || Date.now() - asked < FRESH || suggest();
      addEventListener("load", renew);
      document.addEventListener("visibilitychange", renew);
      setInterval(renew, 30_000);
    }
    // Tell the browser which passkeys it can remove, and the names of the others.
    const tell = (signal, what) => Keys[signal]?.({ rpId: party, ...what }).catch(() => {});
    if (unknown) tell("signalUnknownCredential", { credentialId: unknown });
    if (accepted) {
      const { userId, allAcceptedCredentialIds, name, displayName } = JSON.parse(accepted);
      tell("signalAllAcceptedCredentials", { userId, allAcceptedCredentialIds });
      tell("signalCurrentUserDetails", { userId, name, displayName });
    }
  } else box.remove();
}
