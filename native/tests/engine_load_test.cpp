// The whole engine under load: several environments in threads of their own, each with several
// connections, messages in both directions at every QoS, and connections that end in every way.
// ThreadSanitizer has most to look at here (npm run test:tsan).
#include <array>
#include <cstdlib>
#include <list>

#include "tests/harness.h"
#include "tests/session.h"

namespace aiomqtt::testing {
namespace {

constexpr std::uint32_t kThreads = 4;
constexpr std::uint32_t kRounds = 5;       // of a thread, unless the environment wants more
constexpr std::uint32_t kConnections = 4;  // of a thread, at a time
constexpr std::uint32_t kMessages = 150;   // of a connection, each way

// How a connection ends: by us when all is done, or in the middle of it by one side.
enum class Way : std::uint8_t { kGraceful, kForced, kEarly, kReset, kAbandoned };
constexpr std::uint32_t kWays = 5;

// A broker that acknowledges, sends its own messages once something is subscribed, and hangs up
// in the middle if it is told to.
void serve(Peer peer, int version, Way way) {
  const Buffer connect = peer.read_packet();
  peer.send(connack(version));
  std::uint32_t received = 0;
  for (;;) {
    const Buffer from = peer.read_packet();
    Packet whole;
    CHECK(split_packet(from, whole));
    switch (whole.type) {
      case packet::kSubscribe: {
        Buffer burst = packet(0x90, copy_of(whole.body.first(2)), no_properties(version), 2);
        for (std::uint32_t i = 0; i < kMessages; ++i) {
          put(burst,
              broker_publish(version, static_cast<int>(i % 3), i + 1, "down", patterned(i, 40)));
        }
        peer.send(burst);
        break;
      }
      case packet::kPublish: {
        const int qos = whole.flags >> 1 & 3;
        if (qos > 0) peer.send(packet(qos == 1 ? 0x40 : 0x50, u16(identifier_of(from))));
        if (++received == kMessages / 2 && way == Way::kReset) {
          peer.reset();
          return;
        }
        break;
      }
      case packet::kPubrec:
        peer.send(packet(0x62, copy_of(whole.body.first(2))));
        break;
      case packet::kPubrel:
        peer.send(packet(0x70, copy_of(whole.body.first(2))));
        break;
      case packet::kDisconnect:
        return;
      default:
        break;
    }
  }
}

// Serves until the client is gone, in whatever way.
void serve_to_end(Peer peer, int version, Way way) {
  try {
    serve(std::move(peer), version, way);
  } catch (const Failure&) {
    // What the client missed by it, the client's side of the test notices.
  }
}

// What one connection has seen.
struct Tally {
  std::uint32_t done = 0;
  std::array<std::uint32_t, 3> next{0, 1, 2};  // the number of the next message of each QoS
  bool closed = false;
  std::uint32_t cause = 0;

  void take(const Event& event) {
    if (event.kind == event::kDone) {
      ++done;
    } else if (event.kind == event::kMessage) {
      std::uint32_t& expected = next[static_cast<std::size_t>(event.qos())];
      CHECK_EQ(event.payload, patterned(expected, 40));
      expected += 3;
    } else if (event.kind == event::kClosed) {
      closed = true;
      cause = event.words[2];
    }
  }
  [[nodiscard]] bool has_all() const {
    return done == kMessages + 1 &&
           std::ranges::all_of(next, [](std::uint32_t number) { return number >= kMessages; });
  }
};

Buffer everything_for(std::uint32_t connection, int version) {
  Buffer commands = subscribe_command(connection, 1, {{"down", 2}}, no_properties(version));
  for (std::uint32_t i = 0; i < kMessages; ++i) {
    PublishFields fields = fields_of("up", patterned(i, 100), static_cast<int>(i % 3));
    fields.properties = no_properties(version);
    put(commands, publish_command(connection, i + 2, fields));
  }
  return commands;
}

Ending::Cause cause_of(Way way) {
  if (way == Way::kForced) return Ending::kAborted;
  return way == Way::kReset ? Ending::kTransport : Ending::kLocal;
}

void run_round(Listener& listener, int version, Way way) {
  std::list<Background> brokers;
  Environment environment;
  std::vector<std::uint32_t> connections;
  for (std::uint32_t i = 0; i < kConnections; ++i) {
    connections.push_back(environment.open(options_for(listener.address(), version)));
    // Moved into the thread; std::function wants something that can be copied.
    auto peer = std::make_shared<Peer>(listener.accept());
    brokers.emplace_back([peer, version, way] { serve_to_end(std::move(*peer), version, way); });
  }
  for (const std::uint32_t connection : connections) {
    (void)environment.next(connection, event::kOpened);
    environment.submit(everything_for(connection, version));
  }
  for (std::uint64_t i = 0; i < 20; ++i) {
    for (const std::uint32_t connection : connections) {
      environment.grant(connection, i % 2 == 0 ? i : Credit::kUnlimited);
    }
  }
  if (way == Way::kAbandoned) return;
  for (const std::uint32_t connection : connections) {
    if (way == Way::kEarly) {
      (void)environment.next(connection);
      environment.submit(close_command(connection));
    }
    Tally tally;
    while (!tally.closed && !tally.has_all()) tally.take(environment.next(connection));
    if (way == Way::kGraceful || way == Way::kForced) {
      CHECK(!tally.closed);
      environment.submit(close_command(connection, way == Way::kForced));
    }
    while (!tally.closed) tally.take(environment.next(connection));
    CHECK_EQ(tally.cause, cause_of(way));
  }
}

// AIOMQTT_LOAD_ROUNDS, or kRounds.
std::uint32_t rounds() {
  const char* const asked = std::getenv("AIOMQTT_LOAD_ROUNDS");
  return asked == nullptr ? kRounds : static_cast<std::uint32_t>(std::atoi(asked));
}

TEST("load: threads, connections, both directions, every QoS and every way to end at a time") {
  std::list<Background> threads;
  for (std::uint32_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([thread] {
      Listener listener;
      for (std::uint32_t round = 0; round < rounds(); ++round) {
        const int version = (thread + round) % 2 == 0 ? kMqtt311 : kMqtt5;
        run_round(listener, version, static_cast<Way>((thread + round) % kWays));
      }
    });
  }
  for (Background& each : threads) each.join();
}

}  // namespace
}  // namespace aiomqtt::testing
