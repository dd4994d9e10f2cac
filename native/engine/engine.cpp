#include "engine/engine.h"

#include <thread>

#include "platform/process.h"

namespace aiomqtt {

Engine& Engine::instance() {
  // Never destroyed: the threads outlive every destructor.
  static Engine* const engine = new Engine;
  return *engine;
}

std::uint32_t Engine::open(ConnectionOptions options, std::shared_ptr<Inbox> inbox) {
  std::call_once(started_, [this] { start_threads(); });
  std::shared_ptr<Connection> connection;
  {
    const std::lock_guard lock(mutex_);
    // Paho keeps it as a socket, hence a positive int.
    do {
      last_number_ = last_number_ == 0x7fffffff ? 1 : last_number_ + 1;
    } while (connections_.contains(last_number_));
    connection = std::make_shared<Connection>(last_number_, std::move(options), std::move(inbox),
                                              io_.poller());
    connections_.emplace(last_number_, connection);
  }
  const std::uint32_t number = connection->number();
  io_.start(std::move(connection));
  return number;
}

void Engine::pause(std::uint32_t number, const std::shared_ptr<Inbox>& inbox, bool paused) {
  std::shared_ptr<Connection> connection = find(number);
  if (connection && connection->inbox() == inbox) io_.pause(std::move(connection), paused);
}

void Engine::abandon(const std::shared_ptr<Inbox>& inbox) {
  inbox->close();
  io_.abandon(inbox);
}

std::shared_ptr<Connection> Engine::find(std::uint32_t number) {
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(number);
  return found == connections_.end() ? nullptr : found->second;
}

void Engine::forget(std::uint32_t number) {
  const std::lock_guard lock(mutex_);
  connections_.erase(number);
}

void Engine::start_threads() {
  stay_loaded();
  // From a thread of its own, so that no JavaScript thread ever calls Paho, and with all signals
  // blocked, which Paho's threads inherit: signals are Node's.
  std::thread starter([] {
    block_signals();
    PahoClient::start_threads();
  });
  starter.join();
  call_at_exit([] { Engine::instance().on_exit(); });
}

std::unique_lock<std::mutex> Engine::hold_off_exit() {
  park_if_exiting();
  return std::unique_lock(exit_mutex_);
}

void Engine::on_exit() noexcept {
  exiting_.store(true, std::memory_order_release);
  // Never unlocked: an engine thread that is about to touch Node's waits here for ever.
  exit_mutex_.lock();
}

void Engine::park() noexcept { sleep_for_ever(); }

}  // namespace aiomqtt
