package page_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/cmd/internal/report/page"
	"mergesearch/store"
	"mergesearch/store/storetest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// night is the evidence of a small finished run with the events of a bad night.
func night(t testing.TB) store.Evidence {
	t.Helper()
	dir := t.TempDir()
	storetest.Synthetic(t, dir, 120, 16)
	r, err := store.OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	e, err := r.Evidence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := e.Run.Created
	add := func(kind, attrs string) {
		at = at.Add(time.Minute)
		e.Events = append(e.Events, store.Event{Seq: int64(len(e.Events) + 1), At: at, Kind: kind, Attrs: json.RawMessage(attrs)})
	}
	add("plan", `{"candidates":120,"answers":5000,"tokens":200000,"seconds_p50":600,"seconds_p90":900,"disk_bytes":4000000,"memory_bytes":1000000000}`)
	add("server_restarted", `{"server":0,"text":"no tokens for 30 s"}`)
	add("server_restarted", `{"server":0,"text":"no tokens for 31 s"}`)
	add("disk_paused", `{"free_bytes":1000000,"need_bytes":5000000}`)
	add("new_best", `{"candidate":"c0040"}`)
	return e
}

func options() page.Options {
	return page.Options{Dir: "runs/night-s1", BestDir: "runs/night-s1/best", Disk: 5_300_000, RunFile: "night.yaml", Format: func(r mergesearch.Recipe) string {
		return "merge_method: " + r.Method + "\n"
	}}
}

// render returns report.json and the page.
func render(t testing.TB, e store.Evidence) (text, page_ []byte) {
	t.Helper()
	d, err := page.New(e, options())
	if err != nil {
		t.Fatal(err)
	}
	if text, err = d.JSON(); err != nil {
		t.Fatal(err)
	}
	if page_, err = page.HTML(text); err != nil {
		t.Fatal(err)
	}
	return text, page_
}

func TestGolden(t *testing.T) {
	text, html := render(t, night(t))
	for name, got := range map[string][]byte{"report.json": text, "report.html": html} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs (run with -update after looking)", name)
		}
	}
}

// kinds are runs in all the states that a morning finds them in, with hostile names.
func kinds(t testing.TB) map[string]store.Evidence {
	whole, cut, started, hostile := night(t), night(t), night(t), night(t)
	cut.Ending = nil
	started.Ending, started.Trials, started.Items, started.Answers, started.Events = nil, nil, nil, nil, nil
	evil := `"><script>alert(1)</script><img src=https://evil.example/x onerror=alert(1)>` + "\x1b[2J\u202e"
	hostile.Run.Run = mergesearch.RunID(evil)
	for i := range hostile.Trials {
		hostile.Trials[i].Individual.Operator += evil
		hostile.Trials[i].Reason.Text = evil
		if hostile.Trials[i].Name != "" {
			hostile.Trials[i].Name += evil
		}
	}
	r := &hostile.Ending.Result
	r.BestParent += evil
	for i := range r.Parents {
		r.Parents[i].Name += evil
		for k := range r.Parents[i].HeldOut.Tasks {
			r.Parents[i].HeldOut.Tasks[k].Task += evil
		}
	}
	for i := range r.Baselines {
		r.Baselines[i].Name += evil
	}
	for k := range r.Best.HeldOut.Tasks {
		r.Best.HeldOut.Tasks[k].Task += evil
	}
	attrs, err := json.Marshal(map[string]string{"text": evil})
	if err != nil {
		t.Fatal(err)
	}
	hostile.Events = append(hostile.Events, store.Event{Seq: 99, Kind: "drift" + evil, Attrs: attrs})
	hostile.Run.Data = append(hostile.Run.Data, store.Dataset{Name: evil, SHA256: evil})
	return map[string]store.Evidence{"whole": whole, "cut off": cut, "started": started, "hostile": hostile}
}

var (
	datum   = regexp.MustCompile(`<data value="([^"]*)" data-from="([^"]*)" data-as="([a-z]+)">([^<]*)</data>`)
	quoted  = regexp.MustCompile(`<span data-from="([^"]*)">([^<]*)</span>`)
	charts  = regexp.MustCompile(`(?s)<svg .*?</svg>|<style>.*?</style>|<pre>.*?</pre>|<title>.*?</title>`)
	tags    = regexp.MustCompile(`<[^>]*>`)
	links   = regexp.MustCompile(`(?i)\b(src|srcset|href|action|formaction|poster|background|cite|ping|data)\s*=\s*["']?([^"'\s>]*)`)
	styled  = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	handler = regexp.MustCompile(`(?i)<[a-z]+[^>]*\s(on[a-z]+|style)\s*=`)
)

// Every number on the page is the one at its place in report.json, in the format that
// it names; every text is that at its place.
func TestPageSaysWhatTheJSONSays(t *testing.T) {
	for name, e := range kinds(t) {
		text, shown := render(t, e)
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var root any
		if err := d.Decode(&root); err != nil {
			t.Fatal(err)
		}
		found := datum.FindAllSubmatch(shown, -1)
		if name == "whole" && len(found) < 150 {
			t.Errorf("%s: only %d numbers", name, len(found))
		}
		if got := bytes.Count(shown, []byte("<data ")); got != len(found) {
			t.Errorf("%s: %d of %d numbers have another form", name, got-len(found), got)
		}
		for _, m := range found {
			value, place, format, says := string(m[1]), string(m[2]), string(m[3]), html.UnescapeString(string(m[4]))
			if want := at(t, root, place); value != fmt.Sprint(want) {
				t.Errorf("%s: %s is %s on the page, %v in report.json", name, place, value, want)
			}
			x, err := strconv.ParseFloat(value, 64)
			if err != nil || says != page.Formats[format](x) {
				t.Errorf("%s: %s: %q for %s as %s", name, place, says, value, format)
			}
		}
		for _, m := range quoted.FindAllSubmatch(shown, -1) {
			if want := report.Plain(at(t, root, html.UnescapeString(string(m[1]))).(string)); html.UnescapeString(string(m[2])) != want {
				t.Errorf("%s: %s is %q on the page, %q in report.json", name, m[1], m[2], want)
			}
		}
		if name == "hostile" {
			continue // its names have digits
		}
		rest := charts.ReplaceAll(quoted.ReplaceAll(datum.ReplaceAll(shown, nil), nil), nil)
		rest = tags.ReplaceAll(rest, nil)
		for _, known := range []string{"95 %", "P90"} {
			rest = bytes.ReplaceAll(rest, []byte(known), nil)
		}
		if at := bytes.IndexAny(rest, "0123456789"); at >= 0 {
			t.Errorf("%s: a number that is not from report.json: %q", name, rest[max(0, at-40):min(len(rest), at+40)])
		}
	}
}

// at follows a place such as parents[2].heldout.fitness.
func at(t *testing.T, v any, place string) any {
	t.Helper()
	for _, name := range strings.Split(strings.ReplaceAll(place, "[", ".["), ".") {
		if index, ok := strings.CutPrefix(name, "["); ok {
			i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			if err != nil {
				t.Fatal(err)
			}
			v = v.([]any)[i]
		} else {
			v = v.(map[string]any)[name]
		}
	}
	return v
}

// The page asks nobody for anything and runs nothing, whatever the names are.
func TestPageAsksNobody(t *testing.T) {
	for name, e := range kinds(t) {
		_, shown := render(t, e)
		for _, m := range links.FindAllSubmatch(tags.Find(shown), -1) {
			t.Errorf("%s: %s", name, m[0])
		}
		for _, tag := range tags.FindAll(shown, -1) {
			for _, m := range links.FindAllSubmatch(tag, -1) {
				if !strings.EqualFold(string(m[1]), "href") || !bytes.HasPrefix(m[2], []byte("#")) {
					if !bytes.HasPrefix(tag, []byte("<data ")) && !bytes.HasPrefix(tag, []byte("<span data-from")) && !bytes.HasPrefix(tag, []byte("<meta ")) {
						t.Errorf("%s: %s", name, tag)
					}
				}
			}
		}
		for _, bad := range []string{"<script", "<img", "<link", "<iframe", "<object", "<embed", "<base", "@import", "url(", "javascript:", "\x1b", "\u202e"} {
			if bytes.Contains(bytes.ToLower(shown), []byte(bad)) {
				t.Errorf("%s: the page has %q", name, bad)
			}
		}
		if m := handler.Find(shown); m != nil {
			t.Errorf("%s: %s", name, m)
		}
		style := styled.FindSubmatch(shown)
		sum := sha256.Sum256(style[1])
		if policy := fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'", base64.StdEncoding.EncodeToString(sum[:])); !strings.Contains(html.UnescapeString(string(shown)), policy) {
			t.Errorf("%s: the policy does not allow the style, or allows more", name)
		}
	}
}

// The page stays small however long the night was.
func TestPageStaysSmall(t *testing.T) {
	e := night(t)
	few := len(e.Trials)
	var parents int
	for ; e.Trials[parents].Name != ""; parents++ {
	}
	for i := few; i < 10_000; i++ {
		x := e.Trials[parents+i%(few-parents)]
		x.Index = i
		x.Begun, x.Finished = x.Begun.Add(time.Duration(i)*time.Second), x.Finished.Add(time.Duration(i)*time.Second)
		e.Trials = append(e.Trials, x)
	}
	long, err := json.Marshal(map[string]string{"text": strings.Repeat("log ", 10_000)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5_000 {
		e.Events = append(e.Events, store.Event{Seq: int64(i), Kind: fmt.Sprintf("trouble_%d", i%1000), Attrs: long})
	}
	text, shown := render(t, e)
	if len(text) > 2<<20 || len(shown) > 2<<20 {
		t.Errorf("report.json has %d bytes, the page %d", len(text), len(shown))
	}
}

// Both files appear, or none does.
func TestWrite(t *testing.T) {
	t.Setenv("SOME_API_KEY", "canary-4711-secret")
	e := night(t)
	e.Events = append(e.Events, store.Event{Seq: 50, Kind: "server_failed", Attrs: json.RawMessage(`{"log":"Bearer canary-4711-secret and sk-abcdefghijklmnopqrstuv"}`)})
	d, err := page.New(e, options())
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "night.html")
	files, err := page.Write(d, out)
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("canary-4711")) || bytes.Contains(text, []byte("sk-abcdef")) || !bytes.Contains(text, []byte("server")) {
			t.Errorf("%s holds a key, or not what it should", f)
		}
	}
	if _, err := page.Write(d, filepath.Join(t.TempDir(), "none", "night.html")); err == nil {
		t.Error("written into a folder that does not exist")
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(out), ".tmp-*"))
	if err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}
