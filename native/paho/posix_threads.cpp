// Paho's two threads, whose creation Paho asks for and does not look at the outcome of: what could
// not be made waits here until there is room for it again.
#include <pthread.h>

#include <array>
#include <mutex>

#include "paho/seam.h"

namespace {

struct Start {
  void* (*function)(void*) = nullptr;
  void* argument = nullptr;
};

// Nothing of it needs to be destroyed, as Paho's threads use it.
struct Unmade {
  std::mutex mutex;
  // Paho has two threads, and asks for each once.
  std::array<Start, 2> starts;
  std::size_t count = 0;
};

Unmade& unmade() {
  static Unmade instance;
  return instance;
}

}  // namespace

namespace aiomqtt::seam {

int make_missing_threads() noexcept {
  Unmade& all = unmade();
  const std::lock_guard lock(all.mutex);
  pthread_attr_t detached;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  int error = 0;
  while (all.count > 0 && error == 0) {
    const Start& start = all.starts[all.count - 1];
    pthread_t thread;
    error = pthread_create(&thread, &detached, start.function, start.argument);
    if (error == 0) --all.count;
  }
  pthread_attr_destroy(&detached);
  return error;
}

}  // namespace aiomqtt::seam

extern "C" {

int seam_create_thread(pthread_t* thread, const pthread_attr_t* attributes,
                       void* (*function)(void*), void* argument) {
  const int error = pthread_create(thread, attributes, function, argument);
  if (error != 0) {
    Unmade& all = unmade();
    const std::lock_guard lock(all.mutex);
    all.starts[all.count++] = {function, argument};
  }
  return error;
}

}  // extern "C"
