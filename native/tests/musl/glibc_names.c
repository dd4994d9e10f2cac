// For npm run test:musl: what Debian's C++ runtime, compiled for glibc, asks of the C library and
// musl does not have. It takes the place of glibc's loader, which that runtime names. The addon
// asks for nothing here.
#define _GNU_SOURCE
#include <locale.h>
#include <stddef.h>
#include <sys/random.h>
#include <time.h>

char __libc_single_threaded = 0;
unsigned __cpu_model[8];

unsigned arc4random(void) {
  unsigned value = 0;
  return getrandom(&value, sizeof value, 0) == sizeof value ? value : 0;
}

int __cpu_indicator_init(void) { return 0; }

// Not found: the unwinder then asks every loaded object.
int _dl_find_object(void* address, void* result) {
  (void)address;
  (void)result;
  return -1;
}

size_t __strftime_l(char* into, size_t size, const char* format, const struct tm* time,
                    locale_t locale) {
  return strftime_l(into, size, format, time, locale);
}

// What a thread leaves behind goes with the process.
int __cxa_thread_atexit_impl(void (*destroy)(void*), void* object, void* library) {
  (void)destroy;
  (void)object;
  (void)library;
  return 0;
}
