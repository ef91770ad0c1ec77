#define _GNU_SOURCE
#include "driver.h"

#include <stdio.h>
#include <string.h>

#if defined(__linux__)
#include <dlfcn.h>

// find stores the address of a function in a field, whose type is that of a pointer to a
// function.
static int find(void *library, const char *name, void *field, char *error, size_t size) {
  void *symbol = dlsym(library, name);
  if (symbol == NULL) {
    snprintf(error, size, "it has no function %s", name);
    return 0;
  }
  memcpy(field, &symbol, sizeof symbol);
  return 1;
}

#define CU_FIND(field, name, parameters)                    \
  if (!find(d->library, name, &d->field, error, size)) {    \
    dlclose(d->library);                                    \
    return 0;                                               \
  }

int cu_open(cu_driver *d, const char *path, char *error, size_t size) {
  d->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (d->library == NULL) {
    snprintf(error, size, "%s", dlerror());
    return 0;
  }
  CU_FUNCTIONS(CU_FIND)
  return 1;
}
#else
int cu_open(cu_driver *d, const char *path, char *error, size_t size) {
  (void)d;
  (void)path;
  snprintf(error, size, "GPUs are used on Linux only");
  return 0;
}
#endif
