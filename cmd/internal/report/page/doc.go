// Package page writes the morning report: one HTML page that says what a run found,
// whether it is true, and how to go on, and the same as report.json.
//
// A store.Evidence goes in; New makes a Document of it, which is report.json, and
// Document.HTML writes that as a page.
//
// Types to know first: Document (report.json: the document of run and show, and what
// the page says beyond it), Options (what is not in the evidence), Write (both files,
// each complete or absent).
//
// Invariants. Equal evidence gives equal bytes: no clock is read. The page is rendered
// from report.json alone: every number on it is a <data> element that carries the
// value and its place there. The page is one file that asks nobody for anything: styles
// are inline under a content security policy that allows nothing else, there is no
// script, and charts are SVG. It stays below 2 MB however many candidates there are:
// lists are thinned and cut, and say so. Texts of models, tasks and events pass
// report.Plain and html/template.
//
// Charts are drawn here rather than by a plotting library: their colours are classes,
// which dark mode and printing change, and which the policy allows; gonum/plot writes
// style attributes with fixed colours, which it does not.
//
// Not here: the numbers themselves (cmd/internal/evidence computes them, search made
// them), text for the terminal (cmd/internal/report).
//
// Colours: Okabe and Ito, "Color Universal Design" (2008). Ticks: Heckbert, "Nice
// numbers for graph labels", Graphics Gems (1990).
package page
