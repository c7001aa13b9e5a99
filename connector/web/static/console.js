// Pages that refresh themselves: base.html marks the part of them that htmx fetches again. Without JavaScript there is a link.
"use strict";

const live = () => document.getElementById("live");
const isRefresh = (event) => event.detail.elt?.id === "live";
const mayReplace = () => {
  const focus = document.activeElement;
  const inUse = live().contains(focus) && (focus.closest("form") || focus.matches(":focus-visible"));
  return !document.hidden && !inUse && getSelection().isCollapsed;
};
const show = (name, on) => {
  for (const element of document.querySelectorAll(`[data-${name}]`)) element.hidden = !on;
};
let opened = [];

document.addEventListener("htmx:beforeRequest", (event) => {
  if (isRefresh(event) && !mayReplace()) event.preventDefault();
});
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!isRefresh(event)) return;
  const fresh = event.detail.xhr.responseText;
  if (!mayReplace()) event.detail.shouldSwap = false;
  else if (!fresh.includes('id="live" hx-get')) location.reload(); // logged out, or the page is no more
  opened = [...document.querySelectorAll("#live details[open]")].map((element) => element.id);
});
document.addEventListener("htmx:afterSwap", () => {
  for (const id of opened) if (id) document.getElementById(id)?.setAttribute("open", "");
  show("refreshed", true);
});
document.addEventListener("htmx:responseError", (event) => {
  if (isRefresh(event)) location.reload();
});
document.addEventListener("htmx:sendError", (event) => {
  if (isRefresh(event)) show("unreachable", true);
});
document.addEventListener("DOMContentLoaded", () => show("refreshed", true));
