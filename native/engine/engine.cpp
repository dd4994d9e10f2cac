#include "engine/engine.h"

#include <thread>
#include <utility>

#include "platform/process.h"

namespace aiomqtt {
namespace {

// PUBLISH's DUP flag, in the first byte of its fixed header.
constexpr std::uint8_t kDup = 0b1000;

}  // namespace

Engine& Engine::instance() {
  // Never destroyed: the threads outlive every destructor.
  static Engine* const engine = new Engine;
  return *engine;
}

std::uint32_t Engine::open(ConnectionOptions options, std::shared_ptr<Inbox> inbox) {
  std::call_once(started_, [this] { start_threads(); });
  std::shared_ptr<Connection> connection = connections_.add([&](std::uint32_t number) {
    return std::make_shared<Connection>(number, std::move(options), std::move(inbox), io_.poller(),
                                        api_);
  });
  const std::uint32_t number = connection->number();
  io_.start(std::move(connection));
  return number;
}

void Engine::submit(std::vector<std::uint8_t> commands, std::shared_ptr<Inbox> owner,
                    std::deque<SharedBuffer> staged) {
  api_.submit(std::move(commands), std::move(owner), std::move(staged));
}

void Engine::pause(std::uint32_t number, const std::shared_ptr<Inbox>& inbox, bool paused) {
  std::shared_ptr<Connection> connection = connections_.find(number);
  if (connection && connection->inbox() == inbox) io_.pause(std::move(connection), paused);
}

void Engine::resume_all(std::shared_ptr<Inbox> inbox) { io_.resume_all(std::move(inbox)); }

void Engine::abandon(const std::shared_ptr<Inbox>& inbox) {
  inbox->close();
  io_.abandon(inbox);
}

std::optional<Traffic> Engine::traffic(std::uint32_t number) const {
  const auto connection = connections_.find(number);
  if (!connection) return std::nullopt;
  return connection->state().traffic();
}

void Engine::start_threads() {
  stay_loaded();
  // From a thread of its own, so that no JavaScript thread ever calls Paho, and with all signals
  // blocked, which Paho's threads inherit: signals are Node's.
  std::thread starter([this] {
    block_signals();
    PahoClient::start_threads(*this);
  });
  starter.join();
  call_at_exit([] { Engine::instance().gate_.close(); });
}

bool Engine::has_connection(std::uint32_t connection) noexcept {
  return connections_.find(connection) != nullptr;
}

void Engine::write(std::uint32_t number, PahoPacket packet) noexcept {
  std::shared_ptr<Connection> connection = connections_.find(number);
  if (!connection) return;
  const bool on_api_thread = ApiThread::is_current();
  if (on_api_thread && connection->api().take_repeated(packet)) packet.head[0] |= kDup;
  const auto& [first, second, third, fourth] = packet.rest;
  const bool must_flush = connection->output().append(
      {Bytes(packet.head), first, second, third, fourth}, std::move(packet.shared));
  if (!must_flush) return;
  if (on_api_thread) {
    api_.note_unflushed(std::move(connection));
  } else {
    io_.note_unflushed(std::move(connection));
  }
}

}  // namespace aiomqtt
