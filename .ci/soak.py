#!/usr/bin/env python3
"""Search the quickstart family again and again with a fault every minute; nothing may change.

    python3 .ci/soak.py --program bin/mergesearch --minutes 60 [--log FILE] [--candidates 48]

A `mergesearch serve` answers through a proxy of this script, which can refuse, cut and hang. Every
minute one fault happens, in turns: the server is killed or stopped for a while, requests get 429 or
500 or half an answer or none, the disk is full for a while (where this script may mount a small
file system), the search is stopped for a while, interrupted, or killed. A search that ends early is
started again by the same command, as a user would. Each that ends must give the population hash,
the scores and the verdict of a search without faults; in the end no process, port, file in shared
memory or temporary directory may be left. One line is printed for each fault and each search.
"""
import argparse, glob, http.client, http.server, json, os, random, shutil, signal, socket, subprocess, sys, tempfile, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
QUICKSTART = os.path.join(os.path.dirname(HERE), "configs", "quickstart")
FAULTS = ["server killed", "429", "search killed", "server hung", "500", "disk full", "cut stream", "search stopped",
          "no answer", "interrupted"]
RESUMABLE = {4, 6, 130, -signal.SIGKILL, 137}  # exit codes after which the same command goes on


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mode, upstream, counts = "pass", None, {}
    connections = threading.local()

    def log_message(self, *args):
        pass

    def serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        mode = Proxy.mode
        Proxy.counts[mode] = Proxy.counts.get(mode, 0) + 1
        if mode in ("429", "500"):
            return self.answer(int(mode), {"Content-Type": "application/json"}, b'{"error":{"message":"soak","type":"soak"}}')
        if mode == "no answer":
            time.sleep(20)
            self.close_connection = True
            return
        try:
            status, headers, data = self.forward(body)
        except OSError:
            self.close_connection = True
            return
        if mode == "cut stream" and len(data) > 1:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            return
        self.answer(status, headers, data)

    def forward(self, body):
        for attempt in (0, 1):
            kept = getattr(Proxy.connections, "one", None)
            c = kept or http.client.HTTPConnection("127.0.0.1", Proxy.upstream, timeout=120)
            Proxy.connections.one = None
            try:
                c.request(self.command, self.path, body or None, {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")} | {"Host": "127.0.0.1:%d" % Proxy.upstream})
                r = c.getresponse()
                data = r.read()
                Proxy.connections.one = c
                return r.status, {k: v for k, v in r.getheaders() if k.lower() not in ("content-length", "connection", "transfer-encoding", "date")}, data
            except (OSError, http.client.HTTPException) as e:
                c.close()
                if not kept:
                    raise OSError(str(e))
        raise OSError("no connection")

    def answer(self, status, headers, data):
        self.send_response(status)
        for k, v in headers.items():
            self.send_header(k, v)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self): self.guard()
    def do_POST(self): self.guard()
    def do_PUT(self): self.guard()
    def do_DELETE(self): self.guard()

    def guard(self):
        try:
            self.serve()
        except OSError:
            self.close_connection = True


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass


class Soak:
    def __init__(self, a):
        self.a, self.work = a, tempfile.mkdtemp(prefix="mergesearch-soak-")
        self.log = open(a.log, "a") if a.log else None
        self.began = time.monotonic()
        self.search = self.server = None
        self.port = free_port()
        self.disk = os.path.join(self.work, "disk")
        os.mkdir(self.disk)
        self.mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "soak", self.disk], stderr=subprocess.DEVNULL).returncode == 0
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.failures, self.searches, self.faults, self.restarts, self.memory = [], 0, {}, 0, []

    def say(self, text):
        line = "%7.1f s  %s" % (time.monotonic() - self.began, text)
        print(line, flush=True)
        if self.log:
            self.log.write(line + "\n")
            self.log.flush()

    def start_server(self):
        self.server = subprocess.Popen([self.a.program, "serve", os.path.join(QUICKSTART, "models", "base"), "--addr", "127.0.0.1:%d" % self.port],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("the server does not start")

    def run_file(self, url):
        text = open(os.path.join(QUICKSTART, "run.yaml")).read().splitlines()
        out = []
        for line in text:
            key = line.split(":")[0]
            if key == "budget":
                line = "budget: {candidates: %d}" % self.a.candidates
            if key == "endpoint":
                line = "endpoint: {kind: mergesearch, url: \"%s\"}" % url
            if key == "algorithm":
                line = "algorithm: {name: ga, population: 12, islands: 2}"
            if key == "race":
                line = "race: {rungs: [10, 40], keep: 0.5}"
            out.append(line.replace("models/", QUICKSTART + "/models/").replace("tasks/", QUICKSTART + "/tasks/"))
        path = os.path.join(self.work, "run.yaml")
        open(path, "w").write("\n".join(out) + "\n")
        return path

    def one(self, path, directory):
        """Run until the search ends, starting it again as often as needed; return what it says."""
        starts = 0
        while True:
            starts += 1
            out = open(os.path.join(self.work, "out.json"), "w+")
            err = open(os.path.join(self.work, "err.txt"), "w+")
            with self.lock:
                self.search = subprocess.Popen([self.a.program, "run", path, "--dir", directory, "--json"], stdout=out, stderr=err)
            fds = peak = 0
            while self.search.poll() is None:
                time.sleep(0.2)
                peak = max(peak, resident(self.search.pid))
                fds = max(fds, descriptors(self.search.pid))
            code = self.search.returncode
            self.memory.append((peak, resident(self.server.pid), fds))
            out.seek(0), err.seek(0)
            text, errors = out.read(), err.read()
            errors = [l for l in errors.splitlines() if l.startswith(("error:", "hint:", "panic:", "goroutine"))]
            if any(l.startswith(("panic:", "goroutine")) for l in errors):
                self.failures.append("a panic: %s" % errors)
            if code == 0:
                return json.loads(text), starts
            self.say("  the search ended with %d: %s" % (code, errors[0] if errors else ""))
            if code not in RESUMABLE and code != -signal.SIGKILL:
                self.failures.append("exit code %d: %s" % (code, errors))
                return None, starts
            self.restarts += 1
            time.sleep(1)

    def fault(self, name):
        if name == "disk full" and not self.mounted:
            return False
        self.say("fault: " + name)
        self.faults[name] = self.faults.get(name, 0) + 1
        if name in ("429", "500", "cut stream", "no answer"):
            Proxy.mode = name
            self.stop.wait(8)
            Proxy.mode = "pass"
        elif name == "server killed":
            self.server.kill()
            self.server.wait()
            self.stop.wait(3)
            self.start_server()
        elif name == "server hung":
            self.server.send_signal(signal.SIGSTOP)
            self.stop.wait(20)
            self.server.send_signal(signal.SIGCONT)
        elif name == "disk full":
            filler = os.path.join(self.disk, "filler")
            try:
                with open(filler, "wb") as f:
                    while True:
                        f.write(b"\0" * 4096)
                        f.flush()
            except OSError:
                pass
            self.stop.wait(15)
            os.remove(filler)
        else:
            with self.lock:
                p = self.search
            if p is None or p.poll() is not None:
                return True
            if name == "search killed":
                p.kill()
            elif name == "interrupted":
                p.send_signal(signal.SIGINT)
            elif name == "search stopped":
                p.send_signal(signal.SIGSTOP)
                self.stop.wait(10)
                p.send_signal(signal.SIGCONT)
        return True

    def torment(self):
        turn = 0
        while not self.stop.wait(self.a.every):
            while not self.fault(FAULTS[turn % len(FAULTS)]):
                turn += 1
            turn += 1

    def main(self):
        before = leftovers()
        proxy = QuietServer(("127.0.0.1", 0), Proxy)
        Proxy.upstream = self.port
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        self.start_server()
        path = self.run_file("http://127.0.0.1:%d" % proxy.server_address[1])
        want, _ = self.one(path, os.path.join(self.disk, "quiet"))
        shutil.rmtree(os.path.join(self.disk, "quiet"))
        self.say("without faults: population %s, %d answers, winner %s %.4f" % (want["population_hash"][:12], want["item_answers"], want["best"]["candidate"], want["best"]["heldout"]["fitness"]))
        self.memory.clear()
        tormentor = threading.Thread(target=self.torment, daemon=True)
        tormentor.start()
        while time.monotonic() - self.began < 60 * self.a.minutes and len(self.failures) < 5:
            directory = os.path.join(self.disk, "run")
            began = time.monotonic()
            got, starts = self.one(path, directory)
            self.searches += 1
            if got is not None:
                differs = [k for k in ("population_hash", "verdict", "best", "item_answers", "baselines", "parents") if json.dumps(got[k], sort_keys=True) != json.dumps(want[k], sort_keys=True)]
                check = subprocess.run([self.a.program, "check", directory], capture_output=True, text=True)
                if check.returncode != 0:
                    differs.append("check: " + check.stdout + check.stderr)
                if differs:
                    self.failures.append("search %d differs in %s" % (self.searches, differs))
                peak, server, fds = self.memory[-1]
                self.say("search %d: %s in %.0f s with %d starts; memory %d MB, server %d MB, %d descriptors" % (self.searches, "DIFFERS in %s" % differs if differs else "the same", time.monotonic() - began, starts, peak >> 20, server >> 20, fds))
            shutil.rmtree(directory, ignore_errors=True)
        self.stop.set()
        tormentor.join()
        self.server.kill()
        self.server.wait()
        if self.mounted:
            subprocess.run(["umount", "-l", self.disk])
        shutil.rmtree(self.work)
        time.sleep(1)
        new = [l for l in leftovers() if l not in before]
        if new:
            self.failures.append("left over: %s" % new)
        half = len(self.memory) // 2
        first, last = self.memory[:half], self.memory[half:]
        for k, what in ((0, "memory of the search"), (1, "memory of the server"), (2, "descriptors of the search")):
            if first and last:
                a, b = max(m[k] for m in first), max(m[k] for m in last)
                self.say("%s, peak of the first half and of the second: %d, %d" % (what, a, b))
        self.say("%d searches, %d faults %s, %d restarts, %d failures" % (self.searches, sum(self.faults.values()), self.faults, self.restarts, len(self.failures)))
        for f in self.failures:
            self.say("FAILURE: " + f)
        return 1 if self.failures else 0


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def resident(pid):
    try:
        return int(open("/proc/%d/statm" % pid).read().split()[1]) * 4096
    except (OSError, IndexError, ValueError):
        return 0


def descriptors(pid):
    try:
        return len(os.listdir("/proc/%d/fd" % pid))
    except OSError:
        return 0


def leftovers():
    found = glob.glob("/dev/shm/*mergesearch*") + glob.glob(os.path.join(tempfile.gettempdir(), "mergesearch-*"))
    for cmd in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            text = open(cmd, "rb").read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "mergesearch-soak" in text and "soak.py" not in text:
            found.append(text)
    return found


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", default="bin/mergesearch")
    p.add_argument("--minutes", type=float, default=60)
    p.add_argument("--every", type=float, default=60, help="seconds between faults")
    p.add_argument("--candidates", type=int, default=48)
    p.add_argument("--log")
    a = p.parse_args()
    a.program = os.path.abspath(a.program)
    sys.exit(Soak(a).main())
