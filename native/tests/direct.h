// One connection fed packet by packet and told the time, without threads, sockets or Paho.
#pragma once

#include "engine/api_thread.h"
#include "engine/clock.h"
#include "engine/connection.h"
#include "engine/connections.h"
#include "engine/exit_gate.h"
#include "engine/io_thread.h"
#include "tests/environment.h"
#include "tests/harness.h"
#include "tests/scripted_stream.h"

namespace aiomqtt::testing {

// The engine's threads as objects alone: what is posted to them is never run.
struct IdleThreads {
  ExitGate gate;
  Connections connections;
  IoThread io{gate};
  ApiThread api{io, connections, gate};
  std::shared_ptr<Lane> lane = std::make_shared<Lane>(api, io, gate);
};

class Direct {
 public:
  static constexpr std::uint32_t kNumber = 11;

  explicit Direct(int version) : Direct(options_for({}, version)) {}
  explicit Direct(ConnectionOptions options)
      : version_(options.fields.version),
        connection(std::make_shared<Connection>(kNumber, std::move(options), inbox_, threads_.lane,
                                                threads_.api)) {
    connection->output().attach(std::make_unique<ScriptedStream>(script));
    connection->io().note_received(now_ms(), 0);
  }

 private:
  const int version_;
  IdleThreads threads_;
  std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>([] {}, [] {});
  InboxReader reader_{*inbox_};

 public:
  Script script;
  std::shared_ptr<Connection> connection;
  // Why the connection ends, as of the last receive().
  Ending ending;
  std::string why;

  // One packet in a burst of its own, its acknowledgements written at once.
  IoHalf::Taken receive(const Buffer& from) {
    const ExactCopy keep(from);
    Packet packet;
    CHECK(split_packet(keep.view(), packet));
    Burst burst(*inbox_);
    ending = {};
    const IoHalf::Taken taken = connection->io().receive(packet, burst, ending);
    (void)connection->io().finish(burst);
    connection->output().flush();
    // What the ending points to may be the packet.
    detail_ = copy_of(ending.detail);
    ending.detail = detail_;
    why = text_of(detail_);
    if (taken == IoHalf::Taken::kForPaho) for_paho = copy_of(connection->io().for_paho());
    return taken;
  }
  Buffer for_paho;

  // CONNACK, and Paho's word that it has seen it.
  void accept(const Buffer& connack_properties = {}) {
    const Buffer connack = version_ == kMqtt5 ? packet(0x20, 0, 0, properties(connack_properties))
                                              : packet(0x20, 0, 0);
    CHECK_EQ(receive(connack), IoHalf::Taken::kForPaho);
    connection->on_paho_connected();
    CHECK_EQ(events().size(), 1U);
  }
  // Fails unless the packet ends the connection with this reason.
  void expect_violation(const Buffer& from, std::uint8_t reason) {
    CHECK_EQ(receive(from), IoHalf::Taken::kEnds);
    CHECK_EQ(ending.cause, Ending::kProtocol);
    CHECK_EQ(ending.code, reason);
    CHECK(why.size() > 10);
  }
  std::vector<Event> events() { return reader_.drain(); }
  Buffer written() { return std::exchange(script.written, {}); }

 private:
  Buffer detail_;
};

}  // namespace aiomqtt::testing
