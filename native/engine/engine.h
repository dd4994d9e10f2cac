// The engine of this process: one API thread and one I/O thread (Paho's), and all connections.
//
// It is made on first use and never destroyed: its threads run until the process is gone. At exit
// they park, so that they touch nothing while the process is taken down around them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "engine/api_thread.h"
#include "engine/connection.h"
#include "engine/inbox.h"
#include "engine/io_thread.h"

namespace aiomqtt {

class Engine {
 public:
  static Engine& instance();

  // Starts connecting; the connection's number.
  std::uint32_t open(ConnectionOptions options, std::shared_ptr<Inbox> inbox);
  // Stops reading what the broker sends to this environment's connection, or reads again.
  void pause(std::uint32_t number, const std::shared_ptr<Inbox>& inbox, bool paused);
  // The environment goes: its inbox takes nothing more, its connections end.
  void abandon(const std::shared_ptr<Inbox>& inbox);

  ApiThread& api() noexcept { return api_; }
  IoThread& io() noexcept { return io_; }

  [[nodiscard]] std::shared_ptr<Connection> find(std::uint32_t number);
  void forget(std::uint32_t number);

  // Blocks the calling engine thread for good once the process is exiting.
  void park_if_exiting() noexcept {
    if (exiting_.load(std::memory_order_acquire)) park();
  }
  // Holds off the exit handler: nothing of Node's is touched after it has run.
  [[nodiscard]] std::unique_lock<std::mutex> hold_off_exit();

 private:
  Engine() = default;
  void start_threads();
  [[noreturn]] static void park() noexcept;
  void on_exit() noexcept;

  ApiThread api_;
  IoThread io_;
  std::once_flag started_;
  std::mutex mutex_;
  std::unordered_map<std::uint32_t, std::shared_ptr<Connection>> connections_;
  std::uint32_t last_number_ = 0;
  std::atomic<bool> exiting_{false};
  std::mutex exit_mutex_;
};

}  // namespace aiomqtt
