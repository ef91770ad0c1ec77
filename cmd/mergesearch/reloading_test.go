package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"

	"mergesearch/eval/lm"
)

// reloadingServer is the first argument with which the test binary becomes a server
// that a run starts, and whose weights it changes, as it would vLLM's: the embedded
// engine behind those of vLLM's routes that a swap needs.
const reloadingServer = "reloading-server"

func serveReloading(args []string) error {
	flags := flag.NewFlagSet(reloadingServer, flag.ContinueOnError)
	name := flags.String("served-model-name", "", "")
	host := flags.String("host", "", "")
	port := flags.String("port", "", "")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	s := lm.NewServer(lm.ServerOptions{Engine: lm.Options{Threads: 1}})
	put := func(dir string) error {
		files, tensors, err := openModel(dir)
		if err != nil {
			return err
		}
		m, err := lm.Load(files, tensors)
		if err != nil {
			return err
		}
		s.Remove(*name)
		return s.Add(*name, m)
	}
	if err := put(args[0]); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", s)
	mux.HandleFunc("POST /reset_prefix_cache", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /collective_rpc", func(w http.ResponseWriter, r *http.Request) {
		var call struct {
			Method string
			Kwargs struct {
				Path string `json:"weights_path"`
			}
		}
		err := json.NewDecoder(r.Body).Decode(&call)
		if err == nil && call.Method == "reload_weights" {
			err = put(call.Kwargs.Path)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, `{"results": [null]}`)
	})
	return http.ListenAndServe(*host+":"+*port, mux)
}

func reloading() {
	if len(os.Args) > 2 && os.Args[1] == reloadingServer {
		fmt.Fprintln(os.Stderr, serveReloading(os.Args[2:]))
		os.Exit(1)
	}
}
