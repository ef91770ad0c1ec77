// Speed of libllama: prefill of one sequence, decode at two batch sizes.
//
//	cc -O2 -o bench bench.c -ldl
//	./bench FOLDER_OF_LIBRARIES MODEL.gguf THREADS ROUNDS
//
// Prints a line for each kind of work, the best of ROUNDS rounds: tokens a second, tokens a
// second of processor time, and the sum of the chosen tokens. Parameter structures change
// from release to release, so they are the library's own defaults in an oversized block,
// edited where libllama.py also edits them.
#include <dirent.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PREFILL = 512, DECODE = 128, MOST = 16 };

typedef struct {
	int32_t word[256];
} block;

typedef struct {
	int32_t n_tokens, *token;
	float *embd;
	int32_t *pos, *n_seq_id, **seq_id;
	int8_t *logits;
} batch;

static block (*default_context)(void), (*default_model)(void);
static void *(*load_model)(const char *, block), *(*new_context)(void *, block), *(*memory_of)(void *);
static const void *(*vocab_of)(void *);
static int32_t (*vocab_size)(const void *), (*decode)(void *, batch);
static batch (*new_batch)(int32_t, int32_t, int32_t);
static float *(*logits_of)(void *, int32_t);
static void (*clear)(void *, bool), (*set_log)(void *, void *), (*load_backends)(const char *), (*start)(void);

static void *context; // of the work that is timed
static int32_t vocab;

static void fail(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

// open_library loads the file in folder whose name begins with name.
static void *open_library(const char *folder, const char *name)
{
	char path[4096] = "";
	DIR *d = opendir(folder);
	if (!d) fail(folder);
	for (struct dirent *e; (e = readdir(d));)
		if (!strncmp(e->d_name, name, strlen(name))) snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
	closedir(d);
	void *l = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
	if (!l) fail(dlerror());
	return l;
}

static void bind(void *library, void *at, const char *name)
{
	void *p = dlsym(library, name);
	if (!p) fail(name);
	memcpy(at, &p, sizeof p);
}

static void quiet(int level, const char *text, void *data)
{
	(void)data;
	if (level >= 4) fputs(text, stderr);
}

static double now(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static void add(batch *b, int32_t token, int32_t position, int32_t sequence, bool logits)
{
	int32_t i = b->n_tokens++;
	b->token[i] = token, b->pos[i] = position, b->n_seq_id[i] = 1, b->seq_id[i][0] = sequence, b->logits[i] = logits;
}

static int32_t likeliest(int32_t row)
{
	const float *l = logits_of(context, row);
	int32_t best = 0;
	for (int32_t i = 1; i < vocab; i++)
		if (l[i] > l[best]) best = i;
	return best;
}

static long prefill(batch *b)
{
	b->n_tokens = 0;
	for (int i = 0; i < PREFILL; i++) add(b, 3 + i * 37 % 250, i, 0, i == PREFILL - 1);
	if (decode(context, *b)) fail("llama_decode failed");
	return likeliest(PREFILL - 1);
}

static long generate(batch *b, int sequences)
{
	int32_t last[MOST];
	long sum = 0;
	for (int s = 0; s < sequences; s++) last[s] = 3 + s;
	for (int i = 0; i < DECODE; i++) {
		b->n_tokens = 0;
		for (int s = 0; s < sequences; s++) add(b, last[s], i, s, true);
		if (decode(context, *b)) fail("llama_decode failed");
		for (int s = 0; s < sequences; s++) sum += last[s] = likeliest(s);
	}
	return sum;
}

// Contexts have room for 512 tokens of one sequence or 256 of each of sixteen.
static void *make_context(void *model, int sequences, int threads)
{
	block p = default_context();
	int at = 4; // of the two thread counts, 4 by default; before them are lengths and sequences
	while (at < 12 && !(p.word[at] == 4 && p.word[at + 1] == 4)) at++;
	if (at == 12) fail("layout of the context's parameters is not known");
	p.word[0] = sequences > 1 ? sequences * 256 : PREFILL;
	p.word[1] = p.word[2] = PREFILL, p.word[3] = sequences;
	p.word[at] = p.word[at + 1] = threads;
	void *c = new_context(model, p);
	if (!c) fail("no context");
	return c;
}

static void *set_up(const char *folder, const char *path)
{
	open_library(folder, "libggml-base.so");
	void *ggml = open_library(folder, "libggml.");
	void *llama = open_library(folder, "libllama.");
	bind(ggml, &load_backends, "ggml_backend_load_all_from_path");
	bind(llama, &set_log, "llama_log_set");
	bind(llama, &start, "llama_backend_init");
	bind(llama, &default_model, "llama_model_default_params");
	bind(llama, &default_context, "llama_context_default_params");
	bind(llama, &load_model, "llama_model_load_from_file");
	bind(llama, &new_context, "llama_init_from_model");
	bind(llama, &memory_of, "llama_get_memory");
	bind(llama, &clear, "llama_memory_clear");
	bind(llama, &vocab_of, "llama_model_get_vocab");
	bind(llama, &vocab_size, "llama_vocab_n_tokens");
	bind(llama, &new_batch, "llama_batch_init");
	bind(llama, &decode, "llama_decode");
	bind(llama, &logits_of, "llama_get_logits_ith");
	if (!getenv("VERBOSE")) set_log((void *)quiet, 0);
	load_backends(folder);
	start();
	void *model = load_model(path, default_model());
	if (!model) fail("model not loaded");
	vocab = vocab_size(vocab_of(model));
	return model;
}

int main(int argc, char **argv)
{
	if (argc != 5) fail("usage: bench FOLDER MODEL.gguf THREADS ROUNDS");
	void *model = set_up(argv[1], argv[2]);
	void *one = make_context(model, 1, atoi(argv[3])), *many = make_context(model, MOST, atoi(argv[3]));
	batch b = new_batch(PREFILL, 0, 1);
	const char *names[] = {"prefill", "decode-1", "decode-16"};
	const int sequences[] = {0, 1, MOST}, tokens[] = {PREFILL, DECODE, MOST * DECODE};
	double wall[3], processor[3];
	long sums[3];
	for (int r = 0; r < atoi(argv[4]); r++)
		for (int i = 0; i < 3; i++) {
			context = sequences[i] > 1 ? many : one;
			clear(memory_of(context), true);
			double w = now(CLOCK_MONOTONIC), p = now(CLOCK_PROCESS_CPUTIME_ID);
			sums[i] = sequences[i] ? generate(&b, sequences[i]) : prefill(&b);
			w = now(CLOCK_MONOTONIC) - w, p = now(CLOCK_PROCESS_CPUTIME_ID) - p;
			if (r == 0 || w < wall[i]) wall[i] = w;
			if (r == 0 || p < processor[i]) processor[i] = p;
		}
	for (int i = 0; i < 3; i++)
		printf("%s %.1f tokens/s %.1f tokens/cpu-s %ld sum\n", names[i], tokens[i] / wall[i], tokens[i] / processor[i], sums[i]);
	return 0;
}
