// A finding's line is selected in the text that is edited; without this, its link leads to the numbered lines below.
document.addEventListener("click", (event) => {
  const link = event.target.closest("#checked a[data-line]");
  const text = document.getElementById("text");
  if (!link || !text || !link.getAttribute("href").startsWith("#line-") || link.textContent.includes(",")) return;
  event.preventDefault();
  const lines = text.value.split("\n");
  const number = Math.min(Number(link.dataset.line), lines.length);
  const start = lines.slice(0, number - 1).reduce((sum, line) => sum + line.length + 1, 0);
  text.focus();
  text.setSelectionRange(start, start + lines[number - 1].length);
  text.scrollTop = (text.scrollHeight / lines.length) * Math.max(0, number - 6);
});

// What answers while the login has ended is the login page: the text stays where it is, and can still be saved.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id !== "checked" || !event.detail.xhr.responseText.includes("<html")) return;
  event.detail.shouldSwap = false;
  document.getElementById("ended").hidden = false;
});
