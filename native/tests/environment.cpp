#include "tests/environment.h"

#include <cstdlib>
#include <thread>

#include "tests/harness.h"

#ifndef _WIN32
#include <poll.h>
#endif

namespace aiomqtt::testing {
namespace {

// While it waits for the poller this thread does not hear the bell, and the other way round.
constexpr std::chrono::milliseconds kDeaf{2};

bool leads() {
  static const bool is_set = Poller::kNests && std::getenv("AIOMQTT_TEST_LEAD") != nullptr;
  return is_set;
}

bool wait_readable([[maybe_unused]] NativeSocket descriptor) {
#ifdef _WIN32
  return false;
#else
  pollfd poller{descriptor, POLLIN, 0};
  return ::poll(&poller, 1, static_cast<int>(kDeaf.count())) > 0;
#endif
}

}  // namespace

ConnectionOptions options_for(const Address& address, int version) {
  ConnectionOptions options;
  options.addresses.push_back(address);
  options.fields.version = version;
  options.fields.identifier = "id";
  options.fields.keepalive = 0;
  if (version == kMqtt5) options.fields.properties = {0};
  return options;
}

Environment::Environment()
    : doorbell_(std::make_shared<Doorbell>()),
      inbox_(std::make_shared<Inbox>(
          [bell = doorbell_] {
            const std::lock_guard lock(bell->mutex);
            bell->is_rung = true;
            bell->rung.notify_one();
          },
          [this] { lane_->resume_all(inbox_); })),
      reader_(*inbox_) {}

Environment::~Environment() { Engine::abandon(inbox_, *lane_); }

std::uint32_t Environment::open(ConnectionOptions options) {
  return Engine::instance().open(std::move(options), inbox_, lane_);
}

void Environment::submit(const Buffer& commands, std::deque<SharedBuffer> staged) {
  bool must_drain = false;
  {
    std::vector<std::uint8_t> copy = commands;
    const EngineWork work;
    must_drain = Engine::instance().submit(std::move(copy), inbox_, std::move(staged));
  }
  if (!must_drain) return;
  // Nothing rings for what waits by now.
  const std::lock_guard lock(doorbell_->mutex);
  doorbell_->is_rung = true;
  doorbell_->rung.notify_one();
}

void Environment::grant(std::uint32_t connection, std::uint64_t messages, std::uint64_t bytes) {
  Engine::instance().grant(connection, inbox_, messages, bytes);
}

void Environment::drain() {
  for (Event& event : reader_.drain()) events_[event.connection].push_back(std::move(event));
}

Event Environment::next(std::uint32_t connection) {
  std::deque<Event>& events = events_[connection];
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (events.empty()) {
    if (std::chrono::steady_clock::now() >= deadline) throw Failure("waited in vain for an event");
    if (leads()) {
      wait_on_loop();
    } else {
      wait_for_bell(deadline);
    }
    drain();
  }
  Event event = std::move(events.front());
  events.pop_front();
  return event;
}

void Environment::wait_for_bell(std::chrono::steady_clock::time_point until) {
  std::unique_lock lock(doorbell_->mutex);
  (void)doorbell_->rung.wait_until(lock, until, [this] { return doorbell_->is_rung; });
  doorbell_->is_rung = false;
}

void Environment::wait_on_loop() {
  if (!watch_.leads) watch_ = lane_->try_to_lead();
  if (!watch_.leads) {
    wait_for_bell(std::chrono::steady_clock::now() + kDeaf);
    return;
  }
  if (watch_.wait_ms > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(watch_.wait_ms));
  } else if (!wait_readable(lane_->poller().descriptor())) {
    return;
  }
  inbox_->hold_bell();
  {
    const EngineWork work;
    watch_ = lane_->work_on_loop();
  }
  (void)inbox_->let_ring();
}

bool Environment::has_event(std::uint32_t connection) {
  drain();
  return !events_[connection].empty();
}

Event Environment::next(std::uint32_t connection, std::uint32_t kind) {
  Event event = next(connection);
  if (event.kind != kind) {
    throw Failure("the next event is of kind " + std::to_string(event.kind) + ", not " +
                  std::to_string(kind) + "; its words: " + shown(event.words[2]) + " " +
                  shown(event.words[5]) + " " + shown(event.words[6]) +
                  "; its bytes: " + text_of(event.bytes));
  }
  return event;
}

Event Environment::done(std::uint32_t connection, std::uint32_t operation) {
  Event event = next(connection, event::kDone);
  CHECK_EQ(event.words[2], operation);
  return event;
}

Event Environment::closed(std::uint32_t connection) {
  Buffer session = next(connection, event::kSession).bytes;
  Event event = next(connection, event::kClosed);
  event.payload = std::move(session);
  return event;
}

std::vector<Event> Environment::all(std::uint32_t connection) {
  std::vector<Event> events;
  do {
    events.push_back(next(connection));
  } while (events.back().kind != event::kClosed);
  return events;
}

}  // namespace aiomqtt::testing
