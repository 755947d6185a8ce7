// Receives the text that a bookmark hands over from the page that opened this window.
"use strict";

{
  const PATIENCE = 5_000; // milliseconds until the reader is told that nothing came
  const notice = document.getElementById("received");
  const most = Number(notice.dataset.most);
  const target = document.getElementById("text");
  const check = document.querySelector("#form button[type=submit]");
  const nothing = "No text arrived: the page that you came from does not allow it. Copy the text there, and paste it into the box.";
  let waits = 0;

  function refuse(why) {
    notice.textContent = why;
  }

  function receive(event) {
    if (event.source !== opener || event.data?.unspun !== "selection") return;
    removeEventListener("message", receive);
    clearTimeout(waits);
    const { text } = event.data;
    if (!event.origin.startsWith("http")) return refuse("The text was not taken, because it comes from a page that is not on the web. Paste it into the box.");
    if (typeof text !== "string" || !text.trim()) return refuse(`No text came from ${event.origin}. Select some there first.`);
    const size = new Blob([text]).size;
    if (size > most) return refuse(`The text from ${event.origin} has ${size.toLocaleString("en")} bytes, and this service takes ${most.toLocaleString("en")} at most. Select less.`);
    if (target.value.trim()) return refuse(`The text from ${event.origin} was not taken, because the box was not empty.`);
    target.value = text;
    const words = text.trim().split(/\s+/).length;
    notice.textContent = `${words.toLocaleString("en")} ${words === 1 ? "word" : "words"} from ${event.origin}. Nothing is sent until you press the button.`;
    check.focus();
  }

  if (opener) {
    addEventListener("message", receive);
    notice.textContent = "Waiting for the text …";
    waits = setTimeout(refuse, PATIENCE, nothing);
    // Whoever opened this window may know that it is open.
    opener.postMessage("unspun: ready", "*");
  } else {
    refuse(nothing);
  }
}
