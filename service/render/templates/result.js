// What a saved result does beyond plain HTML: the same as the page of the service.
"use strict";

document.documentElement.classList.add("js");
openLists();
addTooltip(document.getElementById("main"), ".article .odd", reveal);
