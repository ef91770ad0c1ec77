// Package cma holds covariance matrix adaptation: evolution strategies that learn
// the shape of a landscape from the ranks of the points that they draw. A start
// goes in; populations of points come out, their order of merit goes back, and the
// mean of the distribution is what it has learned.
//
// Types to know:
//
//   - ES: CMA-ES over real coordinates. Settings switch negative weights off, make
//     it separable, or let it adapt its learning rates to noise.
//   - IPOP: one ES after another, each with twice the population.
//   - CatCMA: CatCMA with margin, over real and integer coordinates and choices.
//   - WarmStart: where to begin, by the points of an earlier search.
//
// Invariants.
//
//   - Only ranks move a distribution; costs serve the criteria for stopping.
//     Costs are lower-is-better.
//   - Random numbers come from the generator that Ask is handed. Equal starts,
//     generators and orders give equal points, and nothing else is kept.
//   - The covariance stays positive definite whatever order is told.
//   - Points that are handed out are the caller's; the distribution keeps no
//     reference to them.
//   - A coordinate that is inactive in a point neither moves anything nor is moved
//     by that point.
//   - A call with wrong lengths is a panic.
//
// Not here: genomes, trials and races (search); functions to measure on
// (search/problem).
//
// Sources, by the names that comments use: "tutorial", Hansen 2016 (arXiv
// 1604.00772), equations as numbered there; separable CMA-ES, Ros and Hansen 2008;
// IPOP, Auger and Hansen 2005; learning-rate adaptation, Nomura, Akimoto and Ono
// 2023 (arXiv 2304.03473); warm start, Nomura, Watanabe, Akimoto, Ozaki and Onishi
// 2021 (arXiv 2012.06932); CatCMA with margin, Hamano, Nomura, Saito, Uchida and
// Shirakawa 2025 (arXiv 2504.07884); stochastic natural gradient with adaptive
// steps (ASNG), Akimoto, Shirakawa, Yoshinari, Uchida, Saito and Nishida 2019.
package cma
