// Package metric holds what is computed from the answers of a whole set of items: the
// aggregations of lm-evaluation-harness, with its standard errors, as pure functions.
//
// In go numbers per item (log-likelihoods, gold and predicted labels, answers with
// their references); out come a value and a standard error.
//
// Types to know:
//
//   - Statistic: an aggregation over items, which can be taken of any choice of them.
//     Statistic.Value is that of all, Statistic.Stderr the harness's bootstrap. Made by
//     Perplexity, Median, NanMean, F1, MCC, BLEU, ChrF and TER.
//   - Mean, WeightedPerplexity, BitsPerByte, Brier, PassAtK: plain functions, with
//     MeanStderr, ClusteredStderr and PooledStderr.
//   - Normalizer: what exact_match does to both sides; MajorityVote: the filter.
//
// Invariants:
//
//   - Values are those of lm-eval 0.4.12 with sacrebleu 2.6.0 and scikit-learn 1.9.1 to
//     1e-12: sums run from left to right as Python's do, and the bootstrap draws the
//     same items (eval/python has its generator).
//   - Results do not depend on the number of workers. There is no clock, and no random
//     number but those of the seeds that the harness fixes.
//   - Slices of one call have one length; another one is a panic. So is an empty set.
//   - BLEU, ChrF and TER lie on the harness's scale from 0 to 100 (TER may exceed it).
//
// Not here: metrics of one item, what is higher-is-better, paired comparison (eval).
//
// Sources: BLEU, Papineni et al. 2002 (doi 10.3115/1073083.1073135), with the
// smoothing of NIST's mteval-v13a; chrF, Popović 2015 (doi 10.18653/v1/W15-3049); TER,
// Snover et al. 2006; the conventions of Post 2018 (arXiv 1804.08771); pass@k, Chen
// et al. 2021 (arXiv 2107.03374); multi-class correlation, Gorodkin 2004 (doi
// 10.1016/j.compbiolchem.2004.09.006); clustered errors, Miller 2024 (arXiv 2411.00640).
package metric
