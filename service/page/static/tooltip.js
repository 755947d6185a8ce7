// Shows what may have stood there beside a marked word, on the page and in the report.
"use strict";

// Opens every part of the page that hides an element.
function reveal(element) {
  for (let hiding = element?.closest("details"); hiding; hiding = hiding.parentElement.closest("details")) hiding.open = true;
}

// Opens the lists of marked words, except on a phone, where they would be long. Printed pages show everything.
function openLists() {
  const open = (selector) => { for (const one of document.querySelectorAll(selector)) one.open = true; };
  if (matchMedia("(min-width: 56.01rem)").matches) open("details.list");
  addEventListener("beforeprint", () => open("details.list, details.one"));
  addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='#']");
    if (link && !event.defaultPrevented) reveal(document.getElementById(link.hash.slice(1)));
  });
}

const LEAVE_DELAY = 200; // milliseconds for the pointer to move from the word to the tooltip

// Adds the tooltip to the words of `section` that match `selector`, and returns a function that hides it. Each word is a
// link to its entry in a list, which contains what the tooltip shows; `follow` is called when a key opens such a link.
function addTooltip(section, selector, follow = () => {}) {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  // Screen readers have the same text from the description of the word.
  tip.setAttribute("aria-hidden", "true");
  document.getElementById("main").append(tip);
  let shown = null;
  let leaving = 0;

  const wordOf = (event) => event.target.closest?.(selector);
  const entryOf = (word) => document.getElementById(word.hash.slice(1));

  function place(word, x, y) {
    const gap = 8;
    // A word that is broken over two lines has two boxes.
    const boxes = [...word.getClientRects()];
    const at = boxes.find((one) => x >= one.left && x <= one.right && y >= one.top && y <= one.bottom) ?? boxes[0];
    const width = document.documentElement.clientWidth;
    const left = Math.max(gap, Math.min(at.left, width - tip.offsetWidth - gap));
    const above = at.bottom + gap + tip.offsetHeight > innerHeight && at.top > tip.offsetHeight + gap;
    const top = above ? at.top - tip.offsetHeight - gap : at.bottom + gap;
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${top + scrollY}px`;
  }

  function show(word, x, y) {
    clearTimeout(leaving);
    if (word === shown) return;
    hide();
    for (const part of entryOf(word).querySelectorAll(".was, .why, .times")) {
      if (!part.textContent) continue;
      const copy = part.cloneNode(true);
      copy.removeAttribute("id");
      const line = document.createElement("div");
      line.append(copy);
      tip.append(line);
    }
    tip.hidden = false;
    word.classList.add("shown");
    shown = word;
    place(word, x, y);
  }

  function hide() {
    clearTimeout(leaving);
    shown?.classList.remove("shown");
    shown = null;
    tip.hidden = true;
    tip.replaceChildren();
  }

  function hideSoon() {
    clearTimeout(leaving);
    leaving = setTimeout(hide, LEAVE_DELAY);
  }

  // The browser's own tooltip would cover ours.
  for (const word of section.querySelectorAll(selector)) word.removeAttribute("title");
  section.addEventListener("pointerover", (event) => {
    const word = wordOf(event);
    if (word && event.pointerType === "mouse") show(word, event.clientX, event.clientY);
  });
  section.addEventListener("pointerout", (event) => {
    if (wordOf(event) && event.pointerType === "mouse") hideSoon();
  });
  tip.addEventListener("pointerenter", () => clearTimeout(leaving));
  tip.addEventListener("pointerleave", hideSoon);
  section.addEventListener("focusin", (event) => {
    const word = wordOf(event);
    if (word) show(word);
  });
  section.addEventListener("focusout", hideSoon);
  section.addEventListener("click", (event) => {
    const word = wordOf(event);
    if (!word) return;
    // A pointer or a finger shows the tooltip; the keyboard follows the link to the entry.
    if (event.detail === 0) {
      follow(entryOf(word));
      return;
    }
    event.preventDefault();
    show(word, event.clientX, event.clientY);
  });
  addEventListener("pointerdown", (event) => {
    if (shown && !wordOf(event) && !tip.contains(event.target)) hide();
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
  addEventListener("resize", () => {
    if (shown) place(shown);
  });
  return hide;
}
