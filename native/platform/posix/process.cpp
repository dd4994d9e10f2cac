#include "platform/process.h"

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace aiomqtt {

void block_signals() noexcept {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

void stay_loaded() noexcept {
  Dl_info here{};
  if (::dladdr(reinterpret_cast<void*>(&stay_loaded), &here) == 0) return;
  // Nothing comes of it in a program that has the engine inside: that is never unloaded.
  ::dlopen(here.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

void call_at_exit(void (*function)()) noexcept { std::atexit(function); }

void sleep_for_ever() noexcept {
  for (;;) ::pause();
}

void* find_symbol(const char* name) noexcept { return ::dlsym(RTLD_DEFAULT, name); }

}  // namespace aiomqtt
