// A driver without a GPU: libcuda's functions over the host's memory, with the kernels
// compiled for the host. It is strict where the driver is undefined:
//
//   - a stream's work is done when somebody waits for it, and not before, so that
//     reading a result too early reads poison;
//   - memory of the device begins as NaN, has guards on both sides, and is looked up
//     for every copy and every launch;
//   - copies take pinned memory only;
//   - a kernel is found only if the PTX that was loaded has an entry of its name and
//     with two parameters.
//
// Faults are asked for by environment variables: MSMERGE_FAKE_FAIL=FUNCTION:NTH:CODE
// makes the NTH call (from 1) return CODE and with a + behind it all later ones too;
// MSMERGE_FAKE_WRONG=KERNEL makes one kernel do nothing; MSMERGE_FAKE_MEMORY, _VERSION, _CAPABILITY and _DEVICES say what there is.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../native/device/kernels.cu"

enum {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NOT_INITIALIZED = 3,
  INVALID_DEVICE = 101,
  INVALID_IMAGE = 200,
  INVALID_CONTEXT = 201,
  NOT_FOUND = 500,
  ILLEGAL_ADDRESS = 700,
  LAUNCH_FAILED = 719,
};

enum { GUARD = 4096, GUARD_BYTE = 0xa5, POISON = 0xff };

typedef struct block {
  char *memory;  // of n bytes between two guards
  size_t n;
  int pinned;
  struct block *next;
} block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static block *blocks;
static size_t used;
static int initialised;
static _Thread_local int has_context;

static long long setting(const char *name, long long otherwise) {
  const char *s = getenv(name);
  return s != NULL && *s != 0 ? atoll(s) : otherwise;
}

// fails counts the calls of a function and returns the result that was asked for.
static int fails(const char *function) {
  static char last[256];
  static long long calls;
  const char *s = getenv("MSMERGE_FAKE_FAIL");
  int result = SUCCESS;
  pthread_mutex_lock(&lock);
  if (s == NULL || *s == 0) {
    last[0] = 0;
  } else {
    if (strcmp(s, last) != 0) {
      snprintf(last, sizeof last, "%s", s);
      calls = 0;
    }
    size_t n = strlen(function);
    if (strncmp(s, function, n) == 0 && s[n] == ':') {
      char *rest;
      long long nth = strtoll(s + n + 1, &rest, 10);
      calls++;
      if (*rest == ':' && (calls == nth || (calls > nth && s[strlen(s) - 1] == '+'))) {
        result = atoi(rest + 1);
      }
    }
  }
  pthread_mutex_unlock(&lock);
  return result;
}

#define CALL(function)                 \
  {                                    \
    int failed_ = fails(#function);    \
    if (failed_ != SUCCESS) {          \
      return failed_;                  \
    }                                  \
    if (!initialised) {                \
      return NOT_INITIALIZED;          \
    }                                  \
  }

#define CALL_IN_CONTEXT(function) \
  CALL(function)                  \
  if (!has_context) {             \
    return INVALID_CONTEXT;       \
  }

static void broken(const char *what) {
  fprintf(stderr, "fake driver: %s\n", what);
  abort();
}

static int guards_hold(const block *b) {
  for (size_t i = 0; i < GUARD; i++) {
    if ((unsigned char)b->memory[-1 - (long)i] != GUARD_BYTE || (unsigned char)b->memory[b->n + i] != GUARD_BYTE) {
      return 0;
    }
  }
  return 1;
}

static int take(char **out, size_t n, int pinned) {
  block *b = calloc(1, sizeof *b);
  char *all = NULL;
  if (b == NULL || posix_memalign((void **)&all, GUARD, n + 2 * GUARD) != 0) {
    free(b);
    return OUT_OF_MEMORY;
  }
  pthread_mutex_lock(&lock);
  if (!pinned && used + n > (size_t)setting("MSMERGE_FAKE_MEMORY", 1ll << 30)) {
    pthread_mutex_unlock(&lock);
    free(all);
    free(b);
    return OUT_OF_MEMORY;
  }
  memset(all, GUARD_BYTE, n + 2 * GUARD);
  memset(all + GUARD, POISON, n);
  b->memory = all + GUARD;
  b->n = n;
  b->pinned = pinned;
  b->next = blocks;
  blocks = b;
  used += pinned ? 0 : n;
  pthread_mutex_unlock(&lock);
  *out = b->memory;
  return SUCCESS;
}

static int give(char *memory, int pinned) {
  pthread_mutex_lock(&lock);
  for (block **at = &blocks; *at != NULL; at = &(*at)->next) {
    block *b = *at;
    if (b->memory == memory && b->pinned == pinned) {
      if (!guards_hold(b)) {
        broken("something was written beside a piece of memory");
      }
      *at = b->next;
      used -= pinned ? 0 : b->n;
      pthread_mutex_unlock(&lock);
      memset(memory, POISON, b->n);
      free(memory - GUARD);
      free(b);
      return SUCCESS;
    }
  }
  pthread_mutex_unlock(&lock);
  return INVALID_VALUE;
}

// known reports whether n bytes lie in one piece of memory of the kind.
static int known(const void *p, size_t n, int pinned) {
  int found = 0;
  pthread_mutex_lock(&lock);
  for (block *b = blocks; b != NULL && !found; b = b->next) {
    const char *from = p;
    found = b->pinned == pinned && from >= b->memory && from + n <= b->memory + b->n;
  }
  pthread_mutex_unlock(&lock);
  return found;
}

// Work of a stream, in order.
typedef struct work {
  int kind;  // 'c' copy, 'f' fill, 'k' kernel, 'e' event
  void *to;
  const void *from;
  size_t n;
  int value;
  void (*kernel)(void *, int64_t);
  struct work *next;
} work;

typedef struct stream {
  work *first, **last;
  pthread_mutex_t lock;
  struct stream *next;
} stream;

static stream *streams;

typedef struct {
  stream *of;
  int passed;
} event;

static void run_to(stream *s, const event *until) {
  pthread_mutex_lock(&s->lock);
  while (s->first != NULL && !(until != NULL && until->passed)) {
    work *w = s->first;
    s->first = w->next;
    if (s->first == NULL) {
      s->last = &s->first;
    }
    switch (w->kind) {
      case 'c':
        memcpy(w->to, w->from, w->n);
        break;
      case 'f':
        memset(w->to, w->value, w->n);
        break;
      case 'k':
        w->kernel(w->to, (int64_t)w->n);
        break;
      case 'e':
        ((event *)w->to)->passed = 1;
        break;
    }
    free(w);
  }
  pthread_mutex_unlock(&s->lock);
}

// run_all does the work of all streams, as the driver does before it frees memory.
static void run_all(void) {
  pthread_mutex_lock(&lock);
  stream *s = streams;
  pthread_mutex_unlock(&lock);
  for (; s != NULL; s = s->next) {  // streams are added in front and stay
    run_to(s, NULL);
  }
}

static int append(void *to, work w) {
  stream *s = to;
  work *own = malloc(sizeof *own);
  *own = w;
  own->next = NULL;
  pthread_mutex_lock(&s->lock);
  *s->last = own;
  s->last = &own->next;
  pthread_mutex_unlock(&s->lock);
  return SUCCESS;
}

// The names of a module's entries that have two parameters.
typedef struct {
  char *text;
} module;

static int has_entry(const module *m, const char *name) {
  char wanted[128];
  snprintf(wanted, sizeof wanted, ".visible .entry %s(", name);
  const char *at = strstr(m->text, wanted), *end = at != NULL ? strchr(at, ')') : NULL;
  int parameters = 0;
  for (const char *p = at; p != NULL && p < end; p = strstr(p + 1, ".param .u64")) {
    parameters += p != at;
  }
  return parameters == 2;
}

int cuInit(unsigned flags) {
  int failed = fails("cuInit");
  initialised = failed == SUCCESS;
  return flags != 0 ? INVALID_VALUE : failed;
}

int cuDriverGetVersion(int *version) {
  *version = (int)setting("MSMERGE_FAKE_VERSION", 12040);
  return SUCCESS;
}

int cuGetErrorName(int r, const char **name) {
  switch (r) {
    case INVALID_VALUE:
      *name = "CUDA_ERROR_INVALID_VALUE";
      break;
    case OUT_OF_MEMORY:
      *name = "CUDA_ERROR_OUT_OF_MEMORY";
      break;
    case INVALID_CONTEXT:
      *name = "CUDA_ERROR_INVALID_CONTEXT";
      break;
    case NOT_FOUND:
      *name = "CUDA_ERROR_NOT_FOUND";
      break;
    case ILLEGAL_ADDRESS:
      *name = "CUDA_ERROR_ILLEGAL_ADDRESS";
      break;
    case LAUNCH_FAILED:
      *name = "CUDA_ERROR_LAUNCH_FAILED";
      break;
    case 46:
      *name = "CUDA_ERROR_DEVICES_UNAVAILABLE";
      break;
    case 100:
      *name = "CUDA_ERROR_NO_DEVICE";
      break;
    default:
      return INVALID_VALUE;
  }
  return SUCCESS;
}

int cuGetErrorString(int r, const char **text) {
  *text = r == OUT_OF_MEMORY ? "out of memory" : r == LAUNCH_FAILED ? "unspecified launch failure" : "an error of the fake driver";
  return SUCCESS;
}

int cuDeviceGetCount(int *n) {
  CALL(cuDeviceGetCount)
  *n = (int)setting("MSMERGE_FAKE_DEVICES", 1);
  return SUCCESS;
}

int cuDeviceGet(int *d, int n) {
  CALL(cuDeviceGet)
  *d = n;
  return SUCCESS;
}

int cuDeviceGetName(char *name, int size, int d) {
  snprintf(name, (size_t)size, "fake %d", d);
  return SUCCESS;
}

int cuDeviceTotalMem_v2(size_t *bytes, int d) {
  (void)d;
  *bytes = (size_t)setting("MSMERGE_FAKE_MEMORY", 1ll << 30);
  return SUCCESS;
}

int cuDeviceGetAttribute(int *value, int attribute, int d) {
  (void)d;
  int capability = (int)setting("MSMERGE_FAKE_CAPABILITY", 90);
  *value = attribute == 75 ? capability / 10 : attribute == 76 ? capability % 10 : 0;
  return SUCCESS;
}

int cuDevicePrimaryCtxRetain(void **c, int d) {
  CALL(cuDevicePrimaryCtxRetain)
  *c = (void *)(uintptr_t)(d + 1);
  return SUCCESS;
}

int cuDevicePrimaryCtxRelease_v2(int d) {
  (void)d;
  CALL(cuDevicePrimaryCtxRelease_v2)
  return SUCCESS;
}

int cuCtxSetCurrent(void *c) {
  has_context = c != NULL;
  return SUCCESS;
}

int cuModuleLoadDataEx(void **m, const void *image, unsigned n, int *options, void **values) {
  (void)n, (void)options, (void)values;
  CALL_IN_CONTEXT(cuModuleLoadDataEx)
  if (strstr(image, ".version") == NULL) {
    return INVALID_IMAGE;
  }
  module *own = malloc(sizeof *own);
  own->text = strdup(image);
  *m = own;
  return SUCCESS;
}

int cuModuleUnload(void *m) {
  CALL_IN_CONTEXT(cuModuleUnload)
  free(((module *)m)->text);
  free(m);
  return SUCCESS;
}

void msmerge_nothing(void *arguments, int64_t threads);
void msmerge_nothing(void *arguments, int64_t threads) { (void)arguments, (void)threads; }

int cuModuleGetFunction(void **f, void *m, const char *name) {
  CALL_IN_CONTEXT(cuModuleGetFunction)
  Dl_info self;
  if (!has_entry(m, name) || dladdr((void *)cuInit, &self) == 0) {
    return NOT_FOUND;
  }
  void *library = dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD);
  const char *wrong = getenv("MSMERGE_FAKE_WRONG");
  *f = dlsym(library, wrong != NULL && strcmp(wrong, name) == 0 ? "msmerge_nothing" : name);
  dlclose(library);
  return *f != NULL ? SUCCESS : NOT_FOUND;
}

int cuMemGetInfo_v2(size_t *unused, size_t *total) {
  CALL_IN_CONTEXT(cuMemGetInfo_v2)
  *total = (size_t)setting("MSMERGE_FAKE_MEMORY", 1ll << 30);
  *unused = *total > used ? *total - used : 0;
  return SUCCESS;
}

int cuMemAlloc_v2(unsigned long long *a, size_t n) {
  CALL_IN_CONTEXT(cuMemAlloc_v2)
  char *memory;
  int r = n == 0 ? INVALID_VALUE : take(&memory, n, 0);
  if (r == SUCCESS) {
    *a = (unsigned long long)(uintptr_t)memory;
  }
  return r;
}

int cuMemFree_v2(unsigned long long a) {
  CALL_IN_CONTEXT(cuMemFree_v2)
  run_all();
  return give((char *)(uintptr_t)a, 0);
}

int cuMemHostAlloc(void **p, size_t n, unsigned flags) {
  (void)flags;
  CALL_IN_CONTEXT(cuMemHostAlloc)
  return take((char **)p, n, 1);
}

int cuMemFreeHost(void *p) {
  CALL_IN_CONTEXT(cuMemFreeHost)
  run_all();
  return give(p, 1);
}

int cuMemcpyHtoDAsync_v2(unsigned long long to, const void *from, size_t n, void *s) {
  CALL_IN_CONTEXT(cuMemcpyHtoDAsync_v2)
  void *device = (void *)(uintptr_t)to;
  return known(device, n, 0) && known(from, n, 1) ? append(s, (work){.kind = 'c', .to = device, .from = from, .n = n}) : INVALID_VALUE;
}

int cuMemcpyDtoHAsync_v2(void *to, unsigned long long from, size_t n, void *s) {
  CALL_IN_CONTEXT(cuMemcpyDtoHAsync_v2)
  const void *device = (const void *)(uintptr_t)from;
  return known(device, n, 0) && known(to, n, 1) ? append(s, (work){.kind = 'c', .to = to, .from = device, .n = n}) : INVALID_VALUE;
}

int cuMemcpyDtoDAsync_v2(unsigned long long to, unsigned long long from, size_t n, void *s) {
  CALL_IN_CONTEXT(cuMemcpyDtoDAsync_v2)
  void *a = (void *)(uintptr_t)to;
  const void *b = (const void *)(uintptr_t)from;
  return known(a, n, 0) && known(b, n, 0) ? append(s, (work){.kind = 'c', .to = a, .from = b, .n = n}) : INVALID_VALUE;
}

int cuMemsetD8Async(unsigned long long to, unsigned char value, size_t n, void *s) {
  CALL_IN_CONTEXT(cuMemsetD8Async)
  void *a = (void *)(uintptr_t)to;
  return known(a, n, 0) ? append(s, (work){.kind = 'f', .to = a, .value = value, .n = n}) : INVALID_VALUE;
}

int cuStreamCreate(void **s, unsigned flags) {
  (void)flags;
  CALL_IN_CONTEXT(cuStreamCreate)
  stream *own = calloc(1, sizeof *own);
  own->last = &own->first;
  pthread_mutex_init(&own->lock, NULL);
  pthread_mutex_lock(&lock);
  own->next = streams;
  streams = own;
  pthread_mutex_unlock(&lock);
  *s = own;
  return SUCCESS;
}

int cuStreamSynchronize(void *s) {
  CALL_IN_CONTEXT(cuStreamSynchronize)
  run_to(s, NULL);
  return SUCCESS;
}

int cuStreamDestroy_v2(void *s) {
  CALL_IN_CONTEXT(cuStreamDestroy_v2)
  run_to(s, NULL);
  return SUCCESS;
}

int cuEventCreate(void **e, unsigned flags) {
  (void)flags;
  CALL_IN_CONTEXT(cuEventCreate)
  *e = calloc(1, sizeof(event));
  return SUCCESS;
}

int cuEventDestroy_v2(void *e) {
  CALL_IN_CONTEXT(cuEventDestroy_v2)
  (void)e;  // work that refers to it may not be done yet
  return SUCCESS;
}

int cuEventRecord(void *e, void *s) {
  CALL_IN_CONTEXT(cuEventRecord)
  event *own = e;
  own->of = s;
  own->passed = 0;
  return append(s, (work){.kind = 'e', .to = e});
}

int cuEventSynchronize(void *e) {
  CALL_IN_CONTEXT(cuEventSynchronize)
  event *own = e;
  if (own->of != NULL) {
    run_to(own->of, own);
  }
  return SUCCESS;
}

int cuEventElapsedTime(float *ms, void *from, void *to) {
  (void)from, (void)to;
  *ms = 1;
  return SUCCESS;
}

int cuIpcGetMemHandle(char *handle, unsigned long long a) {
  CALL_IN_CONTEXT(cuIpcGetMemHandle)
  if (!known((void *)(uintptr_t)a, 1, 0)) {
    return INVALID_VALUE;
  }
  memset(handle, 0, 64);
  memcpy(handle, &a, sizeof a);
  return SUCCESS;
}

int cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *s,
                   void **parameters, void **extra) {
  CALL_IN_CONTEXT(cuLaunchKernel)
  void *arguments = *(void **)parameters[0];
  int64_t n = *(int64_t *)parameters[1];
  int64_t threads = (int64_t)gx * bx;
  if (gy != 1 || gz != 1 || by != 1 || bz != 1 || shared != 0 || extra != NULL || gx == 0 || bx == 0 || bx > 1024) {
    return INVALID_VALUE;
  }
  if (f == NULL || n < 1 || threads < n || threads - n >= bx || !known(arguments, 8, 0)) {
    return INVALID_VALUE;
  }
  void (*kernel)(void *, int64_t);
  memcpy(&kernel, &f, sizeof kernel);
  return append(s, (work){.kind = 'k', .to = arguments, .n = (size_t)n, .kernel = kernel});
}

// What tests ask for: pieces of memory that were never given back, and whether all
// guards hold.
int fake_pieces(void);
int fake_pieces(void) {
  int n = 0;
  pthread_mutex_lock(&lock);
  for (block *b = blocks; b != NULL; b = b->next) {
    n++;
    if (!guards_hold(b)) {
      broken("something was written beside a piece of memory");
    }
  }
  pthread_mutex_unlock(&lock);
  return n;
}
