#include "engine/receiver.h"

#include "tests/harness.h"
#include "tests/inbox_reader.h"

namespace aiomqtt::testing {
namespace {

// A receiver with its inbox, fed with packets as they come off the wire.
class Receiving {
 public:
  explicit Receiving(int version = kMqtt311, const PropertyValues& own = {},
                     HeldMessages* held = nullptr)
      : version_(version), receiver_(9, version, own, held) {}

  Violation publish(const Buffer& from) {
    const ExactCopy keep(from);
    Packet packet;
    CHECK(split_packet(keep.view(), packet));
    Publish publish;
    if (const Violation v = parse_publish(packet, version_, publish)) return v;
    Inbox::Writer writer(inbox_);
    return receiver_.on_publish(publish, writer, acks_);
  }
  Violation pubrel(std::uint16_t packet_identifier) {
    Inbox::Writer writer(inbox_);
    return receiver_.on_pubrel({packet_identifier, 0}, writer, acks_);
  }

  std::vector<Event> messages() { return reader_.drain(); }
  Event only_message() {
    std::vector<Event> events = messages();
    CHECK_EQ(events.size(), 1U);
    CHECK_EQ(events[0].kind, event::kMessage);
    CHECK_EQ(events[0].connection, 9U);
    return std::move(events[0]);
  }
  // The acknowledgements since the last call, which leave with it.
  Buffer acks() {
    const Buffer result = copy_of(acks_);
    acks_.clear();
    receiver_.acks_left();
    return result;
  }
  Receiver& receiver() { return receiver_; }

 private:
  const int version_;
  Inbox inbox_{[] {}, [] {}};
  InboxReader reader_{inbox_};
  Receiver receiver_;
  RawBuffer acks_;
};

PropertyValues announcing(std::uint16_t receive_maximum, std::uint16_t topic_alias_maximum) {
  PropertyValues own;
  own.receive_maximum = receive_maximum;
  own.topic_alias_maximum = topic_alias_maximum;
  return own;
}

Buffer qos2_packet(std::uint16_t packet_identifier, std::string_view payload, bool dup = false) {
  return packet(0x34 | (dup ? 8 : 0), field("a"), u16(packet_identifier), payload);
}

Buffer aliased(std::uint16_t alias, std::string_view topic, std::string_view payload) {
  return packet(0x30, field(topic), properties(0x23, u16(alias)), payload);
}

TEST("receiver: QoS 0 is delivered and not acknowledged") {
  Receiving receiving;
  CHECK(!receiving.publish(packet(0x31, field("a/b"), "hello")));
  const Event message = receiving.only_message();
  CHECK_EQ(message.topic, "a/b");
  CHECK_EQ(text_of(message.payload), "hello");
  CHECK_EQ(message.qos(), 0);
  CHECK(message.retain());
  CHECK(!message.dup());
  CHECK_EQ(message.words[7], 0U);
  CHECK(receiving.acks().empty());
}

TEST("receiver: QoS 1 is delivered and acknowledged each time it comes") {
  Receiving receiving;
  CHECK(!receiving.publish(packet(0x32, field("a"), u16(300), "one")));
  CHECK(!receiving.publish(packet(0x3a, field("a"), u16(300), "one")));
  const std::vector<Event> messages = receiving.messages();
  CHECK_EQ(messages.size(), 2U);
  CHECK_EQ(messages[0].words[7], 300U);
  CHECK(!messages[0].dup());
  CHECK(messages[1].dup());
  CHECK_EQ(receiving.acks(), bytes(packet(0x40, u16(300)), packet(0x40, u16(300))));
}

TEST("receiver: QoS 2 is delivered once, when its PUBREL comes") {
  Receiving receiving;
  CHECK(!receiving.publish(qos2_packet(5, "two")));
  CHECK(receiving.messages().empty());
  CHECK_EQ(receiving.acks(), packet(0x50, u16(5)));
  // Sent again, because our PUBREC was lost.
  CHECK(!receiving.publish(qos2_packet(5, "two", true)));
  CHECK(receiving.messages().empty());
  CHECK_EQ(receiving.acks(), packet(0x50, u16(5)));

  CHECK(!receiving.pubrel(5));
  const Event message = receiving.only_message();
  CHECK_EQ(text_of(message.payload), "two");
  CHECK_EQ(message.qos(), 2);
  CHECK(!message.dup());
  CHECK_EQ(message.words[7], 5U);
  CHECK_EQ(receiving.acks(), packet(0x70, u16(5)));
  // And again, because our PUBCOMP was lost.
  CHECK(!receiving.pubrel(5));
  CHECK(receiving.messages().empty());
  CHECK_EQ(receiving.acks(), packet(0x70, u16(5)));
}

TEST("receiver: an identifier is free for the next QoS 2 message after its PUBREL") {
  Receiving receiving;
  for (const char* payload : {"first", "second"}) {
    CHECK(!receiving.publish(qos2_packet(7, payload)));
    CHECK(!receiving.pubrel(7));
    CHECK_EQ(text_of(receiving.only_message().payload), payload);
  }
}

TEST("receiver: a QoS 2 message without DUP takes the place of one that was never released") {
  Receiving before;
  CHECK(!before.publish(qos2_packet(7, "forgotten by the broker")));
  RawBuffer saved;
  before.receiver().save(saved);
  Receiving receiving(kMqtt311, announcing(1, 0));
  receiving.receiver().restore(saved);
  for (const char* payload : {"first", "second"}) {
    CHECK(!receiving.publish(qos2_packet(7, payload)));
    CHECK_EQ(receiving.acks(), packet(0x50, u16(7)));
  }
  CHECK(!receiving.publish(qos2_packet(7, "with DUP it is the same", true)));
  CHECK(!receiving.pubrel(7));
  CHECK_EQ(text_of(receiving.only_message().payload), "second");
}

TEST("receiver: QoS 2 messages whose PUBREL never comes are void with their session") {
  Receiving receiving;
  CHECK(!receiving.publish(qos2_packet(5, "old")));
  receiving.receiver().forget_session();
  CHECK(!receiving.pubrel(5));
  CHECK(receiving.messages().empty());
}

TEST("receiver: an invalid topic is a violation, at each QoS, and nothing is acknowledged") {
  for (const int version : {kMqtt31, kMqtt311, kMqtt5}) {
    const Buffer none = version == kMqtt5 ? bytes(0) : bytes();
    for (const char* topic : {"\xff", "a/#", "+", "\xed\xa0\x80"}) {
      for (int qos = 0; qos <= 2; ++qos) {
        const Note note(shown(bytes(topic)) + " at QoS " + std::to_string(qos));
        Receiving receiving(version);
        const Buffer identifier = qos > 0 ? u16(1) : bytes();
        const Violation violation =
            receiving.publish(packet(0x30 | qos << 1, field(topic), identifier, none, "x"));
        CHECK_EQ(violation.reason, reason::kMalformedPacket);
        CHECK(receiving.messages().empty());
        CHECK(receiving.acks().empty());
      }
    }
  }
}

TEST("receiver: a topic that comes again is sent to JavaScript once and then known by its number") {
  Receiving receiving;
  for (int i = 0; i < 4; ++i) CHECK(!receiving.publish(packet(0x30, field("a/b"), "x")));
  const std::vector<Event> messages = receiving.messages();
  CHECK_EQ(messages.size(), 4U);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    CHECK_EQ(messages[i].topic, "a/b");
    CHECK_EQ(messages[i].words[2] == TopicTable::kInline, i == 0);
    CHECK_EQ(messages[i].bytes, i == 0 ? bytes("a/bx") : bytes("x"));
  }
}

TEST("receiver: properties of a message are handed over raw") {
  Receiving receiving(kMqtt5);
  const Buffer list = bytes(0x01, 1, 0x26, field("name"), field("value"));
  CHECK(!receiving.publish(packet(0x30, field("a"), properties(list), "x")));
  CHECK(!receiving.publish(packet(0x34, field("a"), u16(1), properties(list), "y")));
  CHECK(!receiving.pubrel(1));
  const std::vector<Event> messages = receiving.messages();
  CHECK_EQ(messages.size(), 2U);
  CHECK_EQ(messages[0].properties, list);
  CHECK_EQ(messages[1].properties, list);
  CHECK_EQ(text_of(messages[1].payload), "y");
}

TEST("receiver: empty and large payloads arrive as they are") {
  Receiving receiving;
  Buffer large(1 << 20);
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<std::uint8_t>(i * 7);
  CHECK(!receiving.publish(packet(0x30, field("a"))));
  CHECK(!receiving.publish(packet(0x30, field("a"), large)));
  CHECK(!receiving.publish(packet(0x34, field("a"), u16(1), large)));
  CHECK(!receiving.pubrel(1));
  const std::vector<Event> messages = receiving.messages();
  CHECK_EQ(messages.size(), 3U);
  CHECK(messages[0].payload.empty());
  CHECK_EQ(messages[1].payload, large);
  CHECK_EQ(messages[2].payload, large);
}

TEST("receiver: topic aliases are set, used and replaced") {
  Receiving receiving(kMqtt5, announcing(65535, 3));
  for (const auto& [topic, payload] : {std::pair("a", "1"), {"", "2"}, {"b", "3"}, {"", "4"}}) {
    CHECK(!receiving.publish(aliased(3, topic, payload)));
  }
  CHECK(!receiving.publish(aliased(1, "c", "5")));
  CHECK(!receiving.publish(aliased(3, "", "6")));
  std::string seen;
  for (const Event& message : receiving.messages()) {
    seen += message.topic + "=" + text_of(message.payload) + " ";
  }
  CHECK_EQ(seen, "a=1 a=2 b=3 b=4 c=5 b=6 ");
}

TEST("receiver: a QoS 2 message keeps the topic that its alias meant when it came") {
  Receiving receiving(kMqtt5, announcing(65535, 1));
  CHECK(!receiving.publish(aliased(1, "first", "")));
  CHECK(!receiving.publish(packet(0x34, field(""), u16(1), properties(0x23, u16(1)), "x")));
  CHECK(!receiving.publish(aliased(1, "second", "")));
  CHECK_EQ(receiving.messages().size(), 2U);
  CHECK(!receiving.pubrel(1));
  CHECK_EQ(receiving.only_message().topic, "first");
}

TEST("receiver: an alias above ours, never set, or for an invalid topic is a violation") {
  Receiving none(kMqtt5);
  CHECK_EQ(none.publish(aliased(1, "a", "")).reason, reason::kTopicAliasInvalid);
  Receiving receiving(kMqtt5, announcing(65535, 2));
  CHECK_EQ(receiving.publish(aliased(3, "a", "")).reason, reason::kTopicAliasInvalid);
  CHECK_EQ(receiving.publish(aliased(2, "", "")).reason, reason::kProtocolError);
  CHECK_EQ(receiving.publish(aliased(2, "a/#", "")).reason, reason::kMalformedPacket);
  CHECK_EQ(receiving.publish(aliased(2, "", "")).reason, reason::kProtocolError);
  CHECK(receiving.messages().empty());
}

TEST("receiver: more QoS 2 messages than our Receive Maximum are a violation on MQTT 5") {
  Receiving receiving(kMqtt5, announcing(2, 0));
  const auto send = [&](std::uint16_t identifier) {
    return receiving.publish(packet(0x34, field("a"), u16(identifier), 0));
  };
  CHECK(!send(1));
  CHECK(!send(2));
  // One that is sent again is none more.
  CHECK(!send(2));
  CHECK_EQ(send(3).reason, reason::kReceiveMaximumExceeded);
  CHECK(!receiving.pubrel(1));
  CHECK(!send(3));
}

TEST("receiver: QoS 1 counts for our Receive Maximum until its PUBACK has left, on MQTT 5") {
  for (const int version : {kMqtt31, kMqtt311, kMqtt5}) {
    const Note note("version " + std::to_string(version));
    const Buffer none = version == kMqtt5 ? bytes(0) : bytes();
    Receiving receiving(version, announcing(3, 0));
    const auto send = [&](int qos, std::uint16_t identifier) {
      return receiving.publish(packet(0x30 | qos << 1, field("a"), u16(identifier), none));
    };
    CHECK(!send(2, 9));
    for (int burst = 0; burst < 3; ++burst) {
      CHECK(!send(1, 1));
      CHECK(!send(1, 2));
      CHECK(!receiving.publish(packet(0x30, field("a"), none)));
      (void)receiving.acks();
    }
    CHECK(!send(1, 1));
    CHECK(!send(1, 2));
    CHECK_EQ(send(1, 3).reason, version == kMqtt5 ? reason::kReceiveMaximumExceeded : 0);
    CHECK_EQ(receiving.messages().size(), version == kMqtt5 ? 11U : 12U);
  }
}

TEST("receiver: QoS 2 messages of an older connection do not count until they come again") {
  Receiving before(kMqtt5);
  for (const int i : {1, 2}) CHECK(!before.publish(packet(0x34, field("a"), u16(i), 0)));
  RawBuffer saved;
  before.receiver().save(saved);
  Receiving receiving(kMqtt5, announcing(1, 0));
  receiving.receiver().restore(saved);
  CHECK(!receiving.publish(packet(0x3c, field("a"), u16(1), 0)));
  CHECK(!receiving.pubrel(2));
  CHECK_EQ(receiving.publish(packet(0x34, field("a"), u16(3), 0)).reason,
           reason::kReceiveMaximumExceeded);
}

TEST(
    "receiver: where JavaScript acknowledges, messages come at once and nothing but PUBCOMP goes") {
  HeldMessages held(65535);
  Receiving receiving(kMqtt311, {}, &held);
  CHECK(!receiving.publish(packet(0x33, field("a"), u16(1), "one")));
  CHECK(!receiving.publish(packet(0x3c, field("a"), u16(2), "two")));
  CHECK(!receiving.publish(packet(0x3c, field("a"), u16(2), "two")));
  const std::vector<Event> messages = receiving.messages();
  CHECK_EQ(messages.size(), 2U);
  CHECK(messages[0].retain());
  CHECK_EQ(messages[0].words[7], 1U);
  CHECK_EQ(messages[1].qos(), 2);
  CHECK(messages[1].dup());
  CHECK_EQ(messages[1].words[7], 2U);
  CHECK(receiving.acks().empty());
  CHECK_EQ(receiving.pubrel(2).reason, reason::kProtocolError);
  CHECK(held.acknowledge(2, 2));
  CHECK(!receiving.publish(packet(0x3c, field("a"), u16(2), "two")));
  CHECK(receiving.messages().empty());
  CHECK_EQ(receiving.acks(), packet(0x50, u16(2)));
  CHECK(!receiving.pubrel(2));
  const std::vector<Event> released = receiving.messages();
  CHECK_EQ(released.size(), 1U);
  CHECK_EQ(released[0].kind, event::kReleased);
  CHECK_EQ(released[0].words[2], 2U);
  CHECK(!receiving.pubrel(2));
  CHECK(receiving.messages().empty());
  CHECK_EQ(receiving.acks(), bytes(packet(0x70, u16(2)), packet(0x70, u16(2))));
  CHECK_EQ(receiving.publish(packet(0x34, field("a"), u16(1), "two")).reason,
           reason::kProtocolError);
}

TEST("receiver: what waits for its PUBREL goes on in the next connection of the session") {
  Receiving before(kMqtt5);
  const Buffer list = bytes(0x01, 1);
  CHECK(!before.publish(packet(0x35, field("a/b"), u16(1), properties(list), "first")));
  CHECK(!before.publish(packet(0x3c, field("c"), u16(65535), 0)));
  RawBuffer saved;
  before.receiver().save(saved);

  Receiving after(kMqtt5);
  after.receiver().restore(ExactCopy(saved).view());
  // The server may send it again, and it is still the same message.
  CHECK(!after.publish(packet(0x3d, field("a/b"), u16(1), properties(list), "first")));
  CHECK(after.messages().empty());
  CHECK(!after.pubrel(1));
  const Event first = after.only_message();
  CHECK_EQ(first.topic, "a/b");
  CHECK_EQ(text_of(first.payload), "first");
  CHECK_EQ(first.properties, list);
  CHECK(first.retain());
  CHECK(!after.pubrel(65535));
  const Event second = after.only_message();
  CHECK_EQ(second.topic, "c");
  CHECK(second.payload.empty());
  CHECK(!second.dup());
}

TEST("receiver: a saved session that is cut short is taken as far as it goes, and no further") {
  Receiving before;
  CHECK(!before.publish(qos2_packet(1, "payload")));
  RawBuffer saved;
  before.receiver().save(saved);
  for (std::size_t size = 0; size <= saved.size(); ++size) {
    const Note note("size " + std::to_string(size));
    Receiving after;
    after.receiver().restore(ExactCopy(Bytes(saved).first(size)).view());
    CHECK(!after.pubrel(1));
    CHECK_EQ(after.messages().size(), size == saved.size() ? 1U : 0U);
  }
}

}  // namespace
}  // namespace aiomqtt::testing
