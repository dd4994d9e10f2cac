// libstdc++ takes a program for one with threads when it finds this name, which only glibc has.
// Without it nothing that starts a thread or calls once works with musl.
#include <pthread.h>

// NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)
extern "C" int __pthread_key_create(pthread_key_t* key, void (*destroy)(void*)) {
  return pthread_key_create(key, destroy);
}
