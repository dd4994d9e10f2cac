#include "engine/engine.h"

#include <cerrno>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "platform/memory_reserve.h"
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

std::shared_ptr<Lane> Engine::make_lane() {
  return Poller::kNests ? std::make_shared<Lane>(api_, io_, gate_) : only_lane_;
}

std::uint32_t Engine::open(ConnectionOptions options, std::shared_ptr<Inbox> inbox,
                           const std::shared_ptr<Lane>& lane) {
  int error = start();
  if (error == 0) error = lane->open();
  std::shared_ptr<Connection> connection = connections_.add([&](std::uint32_t number) {
    return std::make_shared<Connection>(number, std::move(options), std::move(inbox), lane, api_);
  });
  const std::uint32_t number = connection->number();
  if (error != 0) {
    // No other thread knows of it.
    connection->io().end({Ending::kTransport, Ending::kConnecting, error, {}});
    connections_.forget(number);
    return number;
  }
  try {
    lane->start(std::move(connection));
  } catch (const std::bad_alloc&) {
    connections_.forget(number);
    throw;
  }
  return number;
}

bool Engine::submit(std::vector<std::uint8_t>&& commands, const std::shared_ptr<Inbox>& owner,
                    std::deque<SharedBuffer>&& staged) {
  try {
    return api_.submit(std::move(commands), owner, std::move(staged));
  } catch (const std::bad_alloc&) {
    fail(owner);
    return false;
  }
}

void Engine::fail(const std::shared_ptr<Inbox>& inbox) noexcept {
  connections_.each([&](Connection& connection) {
    if (connection.inbox() == inbox) connection.lane().note_short(connection);
  });
}

void Engine::grant(std::uint32_t number, const std::shared_ptr<Inbox>& inbox,
                   std::uint64_t messages, std::uint64_t bytes) {
  std::shared_ptr<Connection> connection = connections_.find(number);
  if (!connection || connection->inbox() != inbox) return;
  if (connection->state().credit.grant(messages, bytes)) connection->lane().resume(connection);
}

void Engine::abandon(const std::shared_ptr<Inbox>& inbox, Lane& lane) {
  inbox->close();
  lane.abandon(inbox);
}

std::optional<Traffic> Engine::traffic(std::uint32_t number) const {
  const auto connection = connections_.find(number);
  if (!connection) return std::nullopt;
  return connection->state().traffic();
}

int Engine::start() noexcept {
  const std::lock_guard lock(starting_);
  if (is_started_) return 0;
  MemoryReserve::open();
  if (const int error = io_.open(); error != 0) return error;
  stay_loaded();
  int error = 0;
  try {
    // From a thread of its own, with all signals blocked, which Paho's threads inherit: signals are
    // Node's.
    std::thread starter([this, &error] {
      block_signals();
      error = PahoClient::start_threads(*this);
    });
    starter.join();
  } catch (const std::system_error& failure) {
    return failure.code().value();
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
  if (error != 0) return error;
  call_at_exit([] { Engine::instance().gate_.close(); });
  is_started_ = true;
  return 0;
}

bool Engine::has_connection(std::uint32_t connection) noexcept {
  return connections_.find(connection) != nullptr;
}

std::uint16_t Engine::assign_packet_identifier() noexcept try {
  return api_.assign_packet_identifier();
} catch (const std::bad_alloc&) {
  return 0;
}

void Engine::write(std::uint32_t number, PahoPacket packet) noexcept {
  const std::shared_ptr<Connection> connection = connections_.find(number);
  if (!connection) return;
  try {
    write(connection, packet);
  } catch (const std::bad_alloc&) {
    connection->lane().note_short(*connection);
  }
}

void Engine::write(const std::shared_ptr<Connection>& connection, PahoPacket& packet) {
  const bool on_api_thread = ApiThread::is_current();
  if (on_api_thread && connection->api().take_repeated(packet)) packet.head[0] |= kDup;
  const bool is_pubrel = packet.head[0] >> 4 == packet::kPubrel;
  if (!on_api_thread && is_pubrel && connection->io().keeps_pubrel()) return;
  const std::uint32_t departing = on_api_thread ? connection->api().take_departing(packet) : 0;
  const auto& [first, second, third, fourth] = packet.rest;
  const bool must_flush = connection->output().append(
      {Bytes(packet.head), first, second, third, fourth}, std::move(packet.shared), departing);
  // A caller with many under way is to make the next ones meanwhile.
  if (departing != 0) connection->state().tell_departed();
  if (!must_flush) return;
  if (on_api_thread) {
    api_.note_unflushed(connection);
  } else {
    io_.note_unflushed(connection);
  }
}

}  // namespace aiomqtt
