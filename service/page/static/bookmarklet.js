// Makes the bookmark that hands over the text selected on another page.
"use strict";

{
  // Runs on the other page, in a bookmark. A request from there would be blocked on many sites (by their content
  // security policy), so this opens a window and sends the text to it, and only to the origin of this service.
  function handOver(address) {
    const box = document.activeElement;
    let text = String(getSelection());
    if (!text.trim() && box && typeof box.selectionStart === "number") text = box.value.slice(box.selectionStart, box.selectionEnd);
    if (!text.trim()) return alert("Select some text first. Then choose this bookmark again.");
    const origin = new URL(address).origin;
    const opened = open(address, "_blank");
    if (!opened) return alert("The browser blocked the new window. Allow this site to open windows, and try again.");
    addEventListener("message", function answer(event) {
      if (event.source !== opened || event.origin !== origin || event.data !== "unspun: ready") return;
      removeEventListener("message", answer);
      opened.postMessage({ unspun: "selection", text }, origin);
    });
  }

  const link = document.getElementById("bookmark");
  const hint = document.getElementById("bookmark-hint");
  const address = link.href;
  link.href = `javascript:${encodeURIComponent(`(${handOver})(${JSON.stringify(address)});`)}`;
  link.addEventListener("click", (event) => {
    event.preventDefault();
    hint.textContent = "Drag the link to your bookmarks instead of clicking it. On a phone, copy the link, add any bookmark, and change the bookmark's address to what you copied.";
  });
}
