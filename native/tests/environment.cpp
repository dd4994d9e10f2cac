#include "tests/environment.h"

#include "tests/harness.h"

namespace aiomqtt::testing {

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
          [this] { Engine::instance().resume_all(inbox_); })),
      reader_(*inbox_) {}

Environment::~Environment() { Engine::instance().abandon(inbox_); }

std::uint32_t Environment::open(ConnectionOptions options) {
  return Engine::instance().open(std::move(options), inbox_);
}

void Environment::submit(const Buffer& commands, std::deque<SharedBuffer> staged) {
  Engine::instance().submit(commands, inbox_, std::move(staged));
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
    {
      std::unique_lock lock(doorbell_->mutex);
      const bool rang =
          doorbell_->rung.wait_until(lock, deadline, [this] { return doorbell_->is_rung; });
      if (!rang) throw Failure("waited in vain for an event");
      doorbell_->is_rung = false;
    }
    drain();
  }
  Event event = std::move(events.front());
  events.pop_front();
  return event;
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
