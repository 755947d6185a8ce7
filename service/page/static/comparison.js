// What the page does beyond plain HTML: a word and its counterpart light up together. Without this script, links lead there.
"use strict";

document.documentElement.classList.add("js");

function light(event) {
  for (const one of document.querySelectorAll(".replaced.lit")) one.classList.remove("lit");
  const word = event.target.closest?.("a.replaced");
  const twin = word && document.getElementById(word.hash.slice(1));
  for (const one of twin ? [word, twin] : []) one.classList.add("lit");
}

document.addEventListener("mouseover", light);
document.addEventListener("focusin", light);
