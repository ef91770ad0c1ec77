package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/cmd/internal/report/page"
	"mergesearch/store"
)

// reportName is the page in a run directory; report.json lies beside it.
const reportName = "report.html"

func newReportCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "report DIR", Short: "write what a run found, running or done, as one HTML page and as JSON", Args: arguments(1, 1),
		Long: `report writes DIR/report.html, one page that needs nothing else to be read, and
DIR/report.json with the same numbers. run writes both when it ends, also when a
budget or an interruption ended it. With --json it prints report.json and writes
nothing.`,
		RunE: func(c *cobra.Command, args []string) error {
			r, err := store.OpenReadOnly(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer r.Close()
			d, err := reportOf(c.Context(), r, args[0])
			if err != nil {
				return err
			}
			if wantsJSON(c) {
				return report.Write(c.OutOrStdout(), d)
			}
			if out == "" {
				out = filepath.Join(args[0], reportName)
			}
			files, err := writeReport(d, out)
			if err != nil {
				return err
			}
			for _, f := range files {
				fmt.Fprintln(c.OutOrStdout(), report.Plain(f))
			}
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "", "page to write, such as night.html; its JSON lies beside it (default DIR/report.html)")
	return c
}

// reportOf makes the document of a run as it stands.
func reportOf(ctx context.Context, r *store.Reader, dir string) (page.Document, error) {
	e, err := r.Evidence(ctx)
	if err != nil {
		return page.Document{}, err
	}
	disk, err := bytesIn(ctx, r)
	if err != nil {
		return page.Document{}, err
	}
	o := page.Options{Dir: dir, Format: formatRecipe, Disk: disk}
	if _, held, _ := store.HeldBy(dir); held {
		o.Status = "running"
	}
	if best := filepath.Join(dir, "best"); complete(best) {
		o.BestDir = best
	}
	return page.New(e, o)
}

func writeReport(d page.Document, out string) ([]string, error) {
	if ext := filepath.Ext(out); ext != ".html" && ext != ".htm" {
		return nil, &mergesearch.InputError{Field: "--out", Problem: fmt.Sprintf("%q does not end in .html", out), Hint: "the page is HTML; its JSON lies beside it under the same name"}
	}
	files, err := page.Write(d, out)
	var missing *fs.PathError
	if errors.As(err, &missing) && errors.Is(err, fs.ErrNotExist) {
		return nil, &mergesearch.InputError{Field: "--out", Problem: filepath.Dir(out) + " does not exist", Hint: "make the folder first"}
	}
	return files, err
}

// leaveReport writes the report of a run that ends, however it ends. Trouble with it is
// worth a line, and does not change how the run ended.
func leaveReport(ctx context.Context, c *cobra.Command, r *store.Reader, dir string) {
	d, err := reportOf(context.WithoutCancel(ctx), r, dir)
	if err == nil {
		d.Status = left(d.Status)
		_, err = writeReport(d, filepath.Join(dir, reportName))
	}
	if err != nil {
		fmt.Fprintf(c.ErrOrStderr(), "warning: no report: %s\n", oneLine(err.Error()))
		return
	}
	fmt.Fprintf(c.ErrOrStderr(), "report: %s\n", report.Plain(filepath.Join(dir, reportName)))
}

// left is the status of a run that this process is about to leave.
func left(status string) string {
	if status == "running" {
		return "interrupted"
	}
	return status
}

// bytesBelow adds up the files of a directory.
func bytesBelow(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil // what cannot be read, or is just going away, does not count
	})
	return n
}
