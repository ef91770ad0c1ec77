// Package honesty asks whether what a run prints can be believed. It lets the real
// loop search many simulated families in which the truth is known, has the real
// judge decide, and counts how often the verdict was right.
//
// A Study goes in, Counts come out: how often a gain was claimed, how far the printed
// gains are from the true ones in the mean, how often the interval held the truth.
//
// In the simulated families many recipes are exactly as good as each other, on a
// plateau that lies Study.Gain above the best parent. With a gain of zero this is the
// hardest case for honesty: hundreds of candidates differ by luck alone, the search
// takes the luckiest, and nothing that it may claim is true.
//
// Types to know: Study, Counts, and World, the simulated family: a search.Builder and
// a search.Scorer.
//
// Invariants. A study is a function of its fields, whatever the number of workers.
// True values are expectations over the population that items are drawn from, not over
// the items drawn, so that the luck of the items is part of what is measured.
//
// Not here: how good algorithms are (bench search), real models.
//
// Sources: the responses follow the two-parameter logistic model; that some items
// answer the same for every model of an ability, and others flip with every change of
// the weights, is what greedy decoding of merges does.
package honesty
