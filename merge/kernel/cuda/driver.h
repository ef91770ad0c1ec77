// The functions of the driver that are used, with their names in it, and a way to
// find them in a library that is opened at run time.
#ifndef MSMERGE_DRIVER_H
#define MSMERGE_DRIVER_H

#include <stddef.h>

typedef int cu_result;  // 0 is success
typedef int cu_device;
typedef unsigned long long cu_address;
typedef struct cu_context_s *cu_context;
typedef struct cu_module_s *cu_module;
typedef struct cu_function_s *cu_function;
typedef struct cu_stream_s *cu_stream;
typedef struct cu_event_s *cu_event;
typedef struct {
  char bytes[64];
} cu_ipc_handle;

#define CU_FUNCTIONS(F)                                                                            \
  F(init, "cuInit", (unsigned flags))                                                              \
  F(driver_version, "cuDriverGetVersion", (int *version))                                          \
  F(error_name, "cuGetErrorName", (cu_result r, const char **name))                                \
  F(error_text, "cuGetErrorString", (cu_result r, const char **text))                              \
  F(device_count, "cuDeviceGetCount", (int *n))                                                    \
  F(device_get, "cuDeviceGet", (cu_device *d, int n))                                              \
  F(device_name, "cuDeviceGetName", (char *name, int size, cu_device d))                           \
  F(device_memory, "cuDeviceTotalMem_v2", (size_t *bytes, cu_device d))                            \
  F(device_attribute, "cuDeviceGetAttribute", (int *value, int attribute, cu_device d))            \
  F(context_retain, "cuDevicePrimaryCtxRetain", (cu_context *c, cu_device d))                      \
  F(context_release, "cuDevicePrimaryCtxRelease_v2", (cu_device d))                                \
  F(context_set, "cuCtxSetCurrent", (cu_context c))                                                \
  F(module_load, "cuModuleLoadDataEx", (cu_module *m, const void *image, unsigned n, int *options, void **values)) \
  F(module_unload, "cuModuleUnload", (cu_module m))                                                \
  F(module_function, "cuModuleGetFunction", (cu_function *f, cu_module m, const char *name))       \
  F(memory_info, "cuMemGetInfo_v2", (size_t *unused, size_t *total))                               \
  F(memory_alloc, "cuMemAlloc_v2", (cu_address *a, size_t n))                                      \
  F(memory_free, "cuMemFree_v2", (cu_address a))                                                   \
  F(host_alloc, "cuMemHostAlloc", (void **p, size_t n, unsigned flags))                            \
  F(host_free, "cuMemFreeHost", (void *p))                                                         \
  F(upload, "cuMemcpyHtoDAsync_v2", (cu_address to, const void *from, size_t n, cu_stream s))      \
  F(download, "cuMemcpyDtoHAsync_v2", (void *to, cu_address from, size_t n, cu_stream s))          \
  F(copy, "cuMemcpyDtoDAsync_v2", (cu_address to, cu_address from, size_t n, cu_stream s))         \
  F(fill, "cuMemsetD8Async", (cu_address to, unsigned char value, size_t n, cu_stream s))          \
  F(stream_create, "cuStreamCreate", (cu_stream *s, unsigned flags))                               \
  F(stream_destroy, "cuStreamDestroy_v2", (cu_stream s))                                           \
  F(stream_wait, "cuStreamSynchronize", (cu_stream s))                                             \
  F(event_create, "cuEventCreate", (cu_event *e, unsigned flags))                                  \
  F(event_destroy, "cuEventDestroy_v2", (cu_event e))                                              \
  F(event_record, "cuEventRecord", (cu_event e, cu_stream s))                                      \
  F(event_wait, "cuEventSynchronize", (cu_event e))                                                \
  F(event_elapsed, "cuEventElapsedTime", (float *ms, cu_event from, cu_event to))                  \
  F(ipc_handle, "cuIpcGetMemHandle", (cu_ipc_handle *h, cu_address a))                             \
  F(launch, "cuLaunchKernel",                                                                      \
    (cu_function f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,  \
     unsigned shared, cu_stream s, void **parameters, void **extra))

#define CU_FIELD(field, name, parameters) cu_result(*field) parameters;

typedef struct {
  void *library;
  CU_FUNCTIONS(CU_FIELD)
} cu_driver;

// cu_open opens a library and finds the functions. On failure it writes why to error.
// A driver is never closed: it starts threads of its own.
int cu_open(cu_driver *d, const char *path, char *error, size_t size);

#endif
