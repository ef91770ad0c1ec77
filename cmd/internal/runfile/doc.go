// Package runfile reads run files: the YAML in which a user says what to
// search. A file goes in, a RunFile with its defaults filled in comes out; or
// a *mergesearch.InputError that names file, line, column and key.
//
// Types to know: RunFile is the whole file; Gene, Group, LayerPath, Task, Objective,
// Constraint, Cost, Race, Budget and Endpoint are its sections. RunFile.Ranges,
// RunFile.LayerGroups and RunFile.SpacePath turn the sections into the root's
// vocabulary; LayerGroups gets the names of the base model's tensors, as Tensor.
//
// Invariants. Reading is strict: unknown keys, duplicate keys, values of the
// wrong type and ranges upside down are refused before anything else starts.
// Defaults that depend on the file alone are filled in here; those that depend on
// the models, the space or the budget stay zero, for whoever knows these. Relative
// paths are relative to the run file. Two files that differ only in comments, order of keys or
// spelling of numbers give equal RunFiles.
//
// Not here: opening models and tasks, and building the space (cmd/mergesearch);
// merge recipes (merge) and task files (eval), which have readers of their own.
package runfile
