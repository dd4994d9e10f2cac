// The JavaScript side of the engine: an inbox with its doorbell, connections, and the events of
// each, waited for with a deadline.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>

#include "engine/connection.h"
#include "engine/engine.h"
#include "tests/commands.h"
#include "tests/inbox_reader.h"
#include "tests/network.h"

namespace aiomqtt::testing {

// Options for one address, with a client that has the least to say.
ConnectionOptions options_for(const Address& address, int version = kMqtt311);

// While it lives, this thread does the engine's work in JavaScript's place.
class EngineWork {
 public:
  EngineWork() noexcept { is_on_ = true; }
  ~EngineWork() { is_on_ = false; }
  EngineWork(const EngineWork&) = delete;
  EngineWork& operator=(const EngineWork&) = delete;
  [[nodiscard]] static bool is_on() noexcept { return is_on_; }

 private:
  inline static thread_local bool is_on_ = false;
};

// JavaScript's thread leads its lane whenever it waits here, as with libuv, if AIOMQTT_TEST_LEAD is
// set; between two waits it is busy.
class Environment {
 public:
  Environment();
  // As when a worker ends: whatever is still open is abandoned.
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  std::uint32_t open(ConnectionOptions options);
  void submit(const Buffer& commands, std::deque<SharedBuffer> staged = {});

  // In all, since the connection began.
  void grant(std::uint32_t connection, std::uint64_t messages,
             std::uint64_t bytes = Credit::kUnlimited);

  // The next event of this connection. Waits for it.
  Event next(std::uint32_t connection);
  // The next event, which must be of this kind.
  Event next(std::uint32_t connection, std::uint32_t kind);
  // The next event, which must be DONE of this operation.
  Event done(std::uint32_t connection, std::uint32_t operation);
  // The next events, which must be SESSION and CLOSED; CLOSED with the session in `payload`.
  Event closed(std::uint32_t connection);
  // All events up to CLOSED.
  std::vector<Event> all(std::uint32_t connection);
  // True when an event is there already.
  bool has_event(std::uint32_t connection);

  // Nothing is drained while this holds, as when JavaScript is busy.
  const std::shared_ptr<Inbox>& inbox() const { return inbox_; }
  const std::shared_ptr<Lane>& lane() const { return lane_; }

 private:
  struct Doorbell {
    std::mutex mutex;
    std::condition_variable rung;
    bool is_rung = false;
  };

  void drain();
  void wait_for_bell(std::chrono::steady_clock::time_point until);
  void wait_on_loop();

  std::shared_ptr<Lane> lane_ = Engine::instance().make_lane();
  Lane::Watch watch_;
  std::shared_ptr<Doorbell> doorbell_;
  std::shared_ptr<Inbox> inbox_;
  InboxReader reader_;
  std::map<std::uint32_t, std::deque<Event>> events_;
};

}  // namespace aiomqtt::testing
