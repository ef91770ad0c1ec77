// Package dataset reads the documents of a benchmark from files that lie on this
// machine: JSON lines, JSON, CSV and parquet, named one by one, by folder, or by the
// name of a data set whose copy is in a Hugging Face cache. Nothing is downloaded.
//
// In goes a Source (the dataset_path, dataset_name and dataset_kwargs of a task
// file); Open finds the files of each split and returns a Set, and Set.Read the
// documents of one split in order.
//
// Types to know:
//
//   - Source, Set: what a task file asks for, and what was found.
//   - Document: one record, with the file and the place where it stands.
//   - Object: a record or a nested mapping, with its keys in the file's order.
//
// Invariants:
//
//   - Values are nil, bool, int64, float64, string, []any and *Object. A whole number
//     that does not fit 64 bits is refused.
//   - All documents of a split have the same fields, those of the file's columns; a
//     field that a record lacks is nil. Order is that of the files.
//   - Values are those that the datasets library (5.2) would hand out: a JSON column
//     with whole and other numbers holds float64 throughout; a CSV column holds the
//     first of int64, float64, bool and string that fits all its values, and its
//     empty and NA-like ones are nil. See readCSV and merge for the rules.
//   - A file that cannot be read is a *mergesearch.InputError with file, line or row,
//     column and cause. Bytes of a file never cause a panic.
//
// Known differences: strings that look like dates stay strings (the library turns
// them into datetimes where a whole JSON column looks so); dates and times of parquet
// become the text that Python prints for them.
//
// Not here: processing of documents (process_docs of a task), templates (eval/jinja).
//
// Sources: the behaviour of datasets 5.2.0 with pandas 3.1.1 and pyarrow 26.0.1,
// recorded in testdata by docs/peers/lmeval/golden_dataset.py; the parquet format
// (Apache Parquet 2.11, LogicalTypes.md); RFC 8259 and RFC 4180.
package dataset
