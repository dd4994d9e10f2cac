#include "fuzz/targets.h"
#include "mqtt/utf8.h"
#include "tests/direct.h"
#include "tests/environment.h"
#include "tests/harness.h"
#include "tests/scripted_stream.h"

namespace aiomqtt::fuzz {
namespace {

using namespace aiomqtt::testing;

// The bits of the first byte.
constexpr int kVersionBits = 0b0000'0011;
constexpr int kAccepted = 0b0000'0100;
constexpr int kLimits = 0b0000'1000;
constexpr int kCleanStart = 0b0001'0000;
constexpr int kPublishing = 0b0010'0000;
constexpr int kHeld = 0b0100'0000;

constexpr std::uint32_t kNumber = 3;

ConnectionOptions options_of(int set_up) {
  ConnectionOptions options = options_for({}, kMqtt31 + (set_up & kVersionBits) % 3);
  options.fields.clean_start = (set_up & kCleanStart) != 0;
  options.hold_acknowledgements = (set_up & kHeld) != 0;
  if (options.fields.version == kMqtt5 && (set_up & kLimits) != 0) {
    // Receive Maximum, Topic Alias Maximum, Maximum Packet Size.
    options.fields.properties = testing::properties(0x21, u16(3), 0x22, u16(2), 0x27, u32(200));
  }
  return options;
}

// One set for all, as in the engine; making them costs more than everything else here.
IdleThreads& threads() {
  static IdleThreads shared;
  return shared;
}

class Fuzzed {
 public:
  Fuzzed(int set_up, std::size_t cut, Bytes input)
      : cut_(cut),
        connection_(std::make_shared<Connection>(kNumber, options_of(set_up), inbox_,
                                                 threads().lane, threads().api)) {
    const int version = connection_->state().version;
    if ((set_up & kAccepted) != 0) {
      put(script_.reads.emplace_back(),
          version == kMqtt5 ? testing::packet(0x20, 0, 0, 0) : testing::packet(0x20, 0, 0));
    }
    for (std::size_t at = 0; at < input.size();) {
      const std::size_t size = std::min(input.size() - at, cut_ == 0 ? input.size() : cut_);
      script_.reads.push_back(copy_of(input.subspan(at, size)));
      at += size;
    }
    script_.then = {Transfer::State::kEnded, 0, 0};
    connection_->output().attach(std::make_unique<ScriptedStream>(script_));
    if ((set_up & kPublishing) != 0) {
      for (int i = 0; i < 3; ++i) (void)connection_->api().assign_packet_identifier();
    }
  }

  void run() {
    while (!connection_->ended()) {
      const Transfer got =
          connection_->io().reader().fill(*connection_->output().stream(), scratch_);
      if (got.state != Transfer::State::kMoved) {
        end({Ending::kTransport, Ending::kReading, got.error, {}});
      } else {
        work_through();
      }
    }
    check_events();
    (void)connection_->output().detach();
  }

 private:
  void end(const Ending& ending) {
    connection_->io().take_leave(ending);
    connection_->io().end(ending);
  }

  void work_through() {
    Burst burst(*inbox_);
    Packet packet;
    Violation violation;
    Ending ending;
    for (;;) {
      switch (connection_->io().reader().next(packet, violation)) {
        case PacketReader::Next::kNothing:
          connection_->io().reader().settle();
          answer(burst);
          return;
        case PacketReader::Next::kViolation:
          answer(burst);
          end(violated(violation));
          return;
        case PacketReader::Next::kPacket:
          break;
      }
      switch (connection_->io().receive(packet, burst, ending)) {
        case IoHalf::Taken::kHere:
          break;
        case IoHalf::Taken::kForPaho:
          answer(burst);
          check_for_paho(connection_->io().for_paho());
          break;
        case IoHalf::Taken::kNoRoom:
          CHECK(!"there is room without end, as long as nobody grants less");
          return;
        case IoHalf::Taken::kEnds:
          answer(burst);
          end(ending);
          return;
      }
    }
  }

  void answer(Burst& burst) {
    const RawBuffer acks = burst.close();
    if (!acks.empty()) (void)connection_->output().reply(acks);
    connection_->output().flush();
  }

  // Paho gets whole packets, of the types that are its business.
  void check_for_paho(Bytes bytes) {
    const ExactCopy keep(bytes);
    Packet packet;
    CHECK(split_packet(keep.view(), packet));
    CHECK(packet.type != packet::kPublish);
    if (packet.type == packet::kConnack) connection_->on_paho_connected();
  }

  void check_events() {
    const std::vector<Event> events = InboxReader(*inbox_).drain();
    CHECK(!events.empty());
    for (std::size_t i = 0; i < events.size(); ++i) {
      const Event& event = events[i];
      CHECK_EQ(event.connection, kNumber);
      CHECK_EQ(event.kind == event::kClosed, i + 1 == events.size());
      if (event.kind != event::kMessage) continue;
      CHECK(event.qos() < 3);
      const Buffer topic = testing::bytes(event.topic);
      CHECK(!topic.empty());
      CHECK(is_topic_name(topic));
      PropertyValues values;
      CHECK(!check_properties(event.properties, packet::kPublish, values));
    }
  }

  const std::size_t cut_;
  std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>([] {}, [] {});
  Script script_;
  Buffer scratch_ = Buffer(16 * 1024);
  std::shared_ptr<Connection> connection_;
};

}  // namespace

void connection(Bytes input) {
  if (input.size() < 2) return;
  Fuzzed(input[0], input[1], input.subspan(2)).run();
}

}  // namespace aiomqtt::fuzz
