/* The driver's management library as far as the probe uses it: two GPUs, one with a process. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct { uint64_t total, free, used; } memory_t;
typedef struct { uint32_t pid; uint64_t used; uint32_t gpu_instance, compute_instance; } process_t;

static int devices[2] = {0, 1};
static int index_of(void *device) { return *(int *)device; }

int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetCount_v2(uint32_t *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(uint32_t index, void **device) { *device = &devices[index]; return 0; }
int nvmlDeviceGetUUID(void *device, char *text, uint32_t length) {
  snprintf(text, length, "GPU-fake-%d", index_of(device));
  return 0;
}
int nvmlDeviceGetName(void *device, char *text, uint32_t length) {
  strncpy(text, "NVIDIA A100-SXM4-80GB", length);
  return 0;
}
int nvmlDeviceGetMemoryInfo(void *device, memory_t *memory) {
  memory->total = 81920ull << 20;
  return 0;
}
int nvmlDeviceGetMinorNumber(void *device, uint32_t *minor) { *minor = 7 - index_of(device); return 0; }
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, uint32_t *size, process_t *running) {
  if (index_of(device) == 0) { *size = 0; return 0; }
  if (*size < 2) return 7;
  running[0].pid = 4242;
  running[1].pid = 4243;
  *size = 2;
  return 0;
}
