// Keeps the engine's threads from everything that goes while the process is taken down around them.
#pragma once

#include <atomic>
#include <mutex>

namespace aiomqtt {

class ExitGate {
 public:
  // Blocks the calling engine thread for good once the process is exiting.
  void park_if_exiting() noexcept {
    if (exiting_.load(std::memory_order_acquire)) park();
  }
  // While it is held the process does not exit: nothing of Node's is touched after it has begun to.
  [[nodiscard]] std::unique_lock<std::mutex> hold_off_exit() {
    park_if_exiting();
    return std::unique_lock(mutex_);
  }
  // The process exits.
  void close() noexcept {
    exiting_.store(true, std::memory_order_release);
    // Never unlocked: an engine thread that is about to touch Node's waits here for ever.
    mutex_.lock();
  }

 private:
  [[noreturn]] static void park() noexcept;

  std::atomic<bool> exiting_{false};
  std::mutex mutex_;
};

}  // namespace aiomqtt
