#include "engine/operations.h"

#include "tests/bytes.h"
#include "tests/harness.h"

namespace aiomqtt::testing {
namespace {

using Kind = Operation::Kind;
using Route = Operations::Route;

Operation operation(Kind kind, std::uint32_t number = 1, std::uint16_t filters = 1) {
  Operation result;
  result.kind = kind;
  result.number = number;
  result.filters = filters;
  return result;
}

std::uint16_t begin(Operations& operations, Kind kind, std::uint32_t number = 1) {
  return operations.begin(operation(kind, number));
}

Route route(Operations& operations, std::uint8_t type, const Ack& ack, std::uint32_t& number) {
  Violation violation;
  const Route result = operations.route(type, ack, number, violation);
  CHECK_EQ(result == Route::kViolation, static_cast<bool>(violation));
  return result;
}

Route route(Operations& operations, std::uint8_t type, const Ack& ack) {
  std::uint32_t number = 0;
  const Route result = route(operations, type, ack, number);
  CHECK_EQ(number, 0U);
  return result;
}

TEST("operations: packet identifiers count up from 1, or from where the session stood") {
  Operations fresh(0);
  CHECK_EQ(fresh.last_packet_identifier(), 0);
  for (std::uint16_t expected = 1; expected <= 5; ++expected) {
    CHECK_EQ(begin(fresh, Kind::kPublishQos1), expected);
  }
  CHECK_EQ(fresh.last_packet_identifier(), 5);
  Operations restored(41);
  CHECK_EQ(begin(restored, Kind::kSubscribe), 42);
}

TEST("operations: a finished one comes back once, with what JavaScript called it") {
  Operations operations(0);
  const std::uint16_t identifier = begin(operations, Kind::kPublishQos2, 77);
  const auto finished = operations.finish(identifier);
  CHECK(finished.has_value());
  CHECK_EQ(finished->number, 77U);
  CHECK(finished->is_publish());
  CHECK(!operations.finish(identifier).has_value());
  CHECK(!operations.finish(9).has_value());
}

TEST("operations: the caller may choose identifiers, none of them twice at a time") {
  Operations operations(0);
  CHECK_EQ(operations.begin(operation(Kind::kPublishQos1, 1), 300), 300);
  CHECK_EQ(operations.begin(operation(Kind::kSubscribe, 2), 65535), 65535);
  CHECK_EQ(operations.begin(operation(Kind::kPublishQos2, 3), 300), 0);
  CHECK_EQ(operations.last_packet_identifier(), 65535);
  CHECK_EQ(operations.finish(300)->number, 1U);
  CHECK_EQ(operations.begin(operation(Kind::kPublishQos2, 4), 300), 300);
  CHECK_EQ(operations.finish(300)->number, 4U);
}

TEST("operations: identifiers wrap after 65,535, never to 0, and skip those in use") {
  Operations operations(65533);
  CHECK_EQ(begin(operations, Kind::kPublishQos1), 65534);
  CHECK_EQ(begin(operations, Kind::kPublishQos1), 65535);
  CHECK_EQ(begin(operations, Kind::kPublishQos1), 1);
  CHECK_EQ(begin(operations, Kind::kPublishQos1), 2);
  CHECK(operations.finish(1).has_value());

  Operations crowded(0);
  for (int i = 1; i <= 10; ++i) CHECK_EQ(begin(crowded, Kind::kPublishQos1), i);
  Operations again(0);
  CHECK_EQ(begin(again, Kind::kPublishQos1), 1);
  for (int i = 2; i <= 65535; ++i) {
    const std::uint16_t identifier = begin(again, Kind::kPublishQos1);
    CHECK_EQ(identifier, i);
    CHECK(again.finish(identifier).has_value());
  }
  CHECK_EQ(begin(again, Kind::kPublishQos1), 2);
}

TEST("operations: with all 65,535 in use there is none, and the first that ends is the next") {
  Operations operations(0);
  for (int i = 1; i <= 65535; ++i) CHECK_EQ(begin(operations, Kind::kPublishQos1), i);
  CHECK_EQ(begin(operations, Kind::kPublishQos1), 0);
  CHECK_EQ(begin(operations, Kind::kSubscribe), 0);
  CHECK(operations.finish(40000).has_value());
  CHECK_EQ(begin(operations, Kind::kPublishQos1), 40000);
  CHECK_EQ(begin(operations, Kind::kPublishQos1), 0);
}

TEST("operations: PUBACK is Paho's for a QoS 1 publish, and nobody's without one") {
  Operations operations(0);
  const std::uint16_t qos1 = begin(operations, Kind::kPublishQos1);
  CHECK_EQ(route(operations, packet::kPuback, {999, 0}), Route::kDrop);
  CHECK_EQ(route(operations, packet::kPuback, {qos1, 0x87}), Route::kPaho);
  CHECK_EQ(operations.finish(qos1)->code, 0x87);
  CHECK_EQ(route(operations, packet::kPuback, {qos1, 0}), Route::kDrop);
}

TEST("operations: PUBREC then PUBCOMP are Paho's for a QoS 2 publish, in that order") {
  Operations operations(0);
  const std::uint16_t qos2 = begin(operations, Kind::kPublishQos2);
  CHECK_EQ(route(operations, packet::kPubrec, {qos2, 0x10}), Route::kPaho);
  CHECK_EQ(route(operations, packet::kPubcomp, {qos2, 0x92}), Route::kPaho);
  CHECK_EQ(operations.finish(qos2)->code, 0x92);
  CHECK_EQ(route(operations, packet::kPubcomp, {qos2, 0}), Route::kDrop);
}

TEST("operations: PUBACK settles a QoS 2 publish that the broker has lowered") {
  Operations operations(0);
  for (const std::uint16_t chosen : {0, 500}) {
    const std::uint16_t qos2 = operations.begin(operation(Kind::kPublishQos2), chosen);
    CHECK_EQ(route(operations, packet::kPuback, {qos2, 0x87}), Route::kLowered);
    CHECK_EQ(operations.finish(qos2)->code, 0x87);
    CHECK_EQ(route(operations, packet::kPuback, {qos2, 0}), Route::kDrop);
  }
}

TEST("operations: an acknowledgement that does not fit what was sent is a violation") {
  struct Row {
    Kind kind;
    std::vector<std::uint8_t> wrong;
  };
  const Row rows[] = {
      {Kind::kPublishQos1, {packet::kPubrec, packet::kPubcomp}},
      {Kind::kPublishQos2, {packet::kPubcomp}},
      {Kind::kSubscribe, {packet::kPuback, packet::kPubrec, packet::kPubcomp}},
      {Kind::kUnsubscribe, {packet::kPuback, packet::kPubrec, packet::kPubcomp}},
      {Kind::kRelease, {packet::kPuback}},
  };
  for (const Row& row : rows) {
    for (const std::uint8_t type : row.wrong) {
      for (const bool holds : {false, true}) {
        Operations operations(0, holds);
        CHECK_EQ(operations.begin(operation(row.kind), 7), 7);
        CHECK_EQ(route(operations, type, {7, 0}), Route::kViolation);
        CHECK_EQ(route(operations, type, {7, 0x80}), Route::kViolation);
      }
    }
  }
  Operations operations(0);
  const std::uint16_t qos2 = begin(operations, Kind::kPublishQos2);
  CHECK_EQ(route(operations, packet::kPubrec, {qos2, 0}), Route::kPaho);
  CHECK_EQ(route(operations, packet::kPuback, {qos2, 0}), Route::kViolation);
}

TEST("operations: one is abandoned once, while it is under way, and only a publish") {
  Operations operations(0);
  const std::uint16_t first = begin(operations, Kind::kPublishQos1, 71);
  CHECK(!operations.abandon(70));
  CHECK(operations.abandon(71));
  CHECK(!operations.abandon(71));
  const std::uint16_t second = begin(operations, Kind::kPublishQos2, 72);
  CHECK_EQ(operations.begin(operation(Kind::kPublishQos2, 73), 300), 300);
  (void)begin(operations, Kind::kSubscribe, 74);
  CHECK(operations.abandon(73));
  CHECK(!operations.abandon(74));
  CHECK(operations.finish(first)->abandoned);
  CHECK(!operations.finish(second)->abandoned);
  CHECK(!operations.abandon(72));
  CHECK(operations.finish(300)->abandoned);
  CHECK_EQ(begin(operations, Kind::kPublishQos1, 71), 302);
  CHECK(operations.abandon(71));
}

TEST("operations: a PUBREC that nobody waits for is answered, unless it says that all is over") {
  Operations operations(0);
  const std::uint16_t qos2 = begin(operations, Kind::kPublishQos2);
  CHECK_EQ(route(operations, packet::kPubrec, {500, 0}), Route::kAnswerPubrel);
  CHECK_EQ(route(operations, packet::kPubrec, {500, 0x10}), Route::kAnswerPubrel);
  CHECK_EQ(route(operations, packet::kPubrec, {500, 0x97}), Route::kDrop);
  CHECK_EQ(route(operations, packet::kPubrec, {qos2, 0}), Route::kPaho);
  // A second one of the same flow must not reach Paho.
  CHECK_EQ(route(operations, packet::kPubrec, {qos2, 0}), Route::kAnswerPubrel);
  CHECK_EQ(route(operations, packet::kPubrec, {qos2, 0x80}), Route::kDrop);
  CHECK_EQ(operations.finish(qos2)->code, 0);
}

TEST("operations: the PUBREC of a publish with a chosen identifier is told, unless it refuses") {
  Operations operations(0);
  CHECK_EQ(operations.begin(operation(Kind::kPublishQos2, 71), 5), 5);
  CHECK_EQ(operations.begin(operation(Kind::kPublishQos2, 72), 6), 6);
  std::uint32_t number = 0;
  CHECK_EQ(route(operations, packet::kPubrec, {5, 0x10}, number), Route::kReceived);
  CHECK_EQ(number, 71U);
  CHECK_EQ(route(operations, packet::kPubrec, {5, 0}), Route::kAnswerPubrel);
  CHECK_EQ(route(operations, packet::kPubcomp, {5, 0}), Route::kPaho);
  CHECK_EQ(route(operations, packet::kPubrec, {6, 0x97}), Route::kPaho);
}

TEST("operations: a PUBREC that is held is told once, and Paho's when it is released") {
  Operations operations(0, true);
  CHECK_EQ(operations.begin(operation(Kind::kPublishQos2, 71), 5), 5);
  CHECK_EQ(operations.begin(operation(Kind::kPublishQos2, 72), 6), 6);
  CHECK(!operations.release(5, 71));
  std::uint32_t number = 0;
  CHECK_EQ(route(operations, packet::kPubrec, {5, 0x10}, number), Route::kHeld);
  CHECK_EQ(number, 71U);
  CHECK_EQ(route(operations, packet::kPubrec, {5, 0}), Route::kDrop);
  CHECK_EQ(route(operations, packet::kPubcomp, {5, 0}), Route::kViolation);
  CHECK_EQ(route(operations, packet::kPubrec, {6, 0x97}), Route::kPaho);
  CHECK(!operations.release(5, 72));
  CHECK(!operations.release(4, 71));
  CHECK_EQ(operations.release(5, 71).value_or(0), 0x10);
  CHECK(!operations.release(5, 71));
  CHECK_EQ(route(operations, packet::kPubrec, {5, 0}), Route::kAnswerPubrel);
  CHECK_EQ(route(operations, packet::kPubcomp, {5, 0}), Route::kPaho);
}

TEST("operations: a release is over with its PUBCOMP, and Paho hears of none of it") {
  Operations operations(0);
  CHECK_EQ(operations.begin(operation(Kind::kRelease, 71), 5), 5);
  CHECK_EQ(operations.begin(operation(Kind::kPublishQos1, 72), 5), 0);
  CHECK_EQ(route(operations, packet::kPubrec, {5, 0}), Route::kAnswerPubrel);
  std::uint32_t number = 0;
  CHECK_EQ(route(operations, packet::kPubcomp, {5, 0x92}, number), Route::kFinished);
  CHECK_EQ(number, 71U);
  CHECK_EQ(route(operations, packet::kPubcomp, {5, 0}), Route::kDrop);
  CHECK_EQ(operations.begin(operation(Kind::kPublishQos1, 72), 5), 5);
}

TEST("operations: SUBACK and UNSUBACK must answer their own kind, a code for each filter") {
  const struct {
    std::uint8_t type;
    Kind kind;
    Kind other;
    int version;
    bool has_codes;
  } table[] = {
      {packet::kSuback, Kind::kSubscribe, Kind::kUnsubscribe, kMqtt31, true},
      {packet::kSuback, Kind::kSubscribe, Kind::kUnsubscribe, kMqtt311, true},
      {packet::kSuback, Kind::kSubscribe, Kind::kUnsubscribe, kMqtt5, true},
      {packet::kUnsuback, Kind::kUnsubscribe, Kind::kSubscribe, kMqtt311, false},
      {packet::kUnsuback, Kind::kUnsubscribe, Kind::kSubscribe, kMqtt5, true},
  };
  for (const auto& row : table) {
    const Note note("type " + std::to_string(row.type) + ", version " +
                    std::to_string(row.version));
    Operations operations(0);
    const std::uint16_t right = operations.begin(operation(row.kind, 1, 2));
    const std::uint16_t wrong = operations.begin(operation(row.other, 2, 2));
    const std::uint16_t publish = begin(operations, Kind::kPublishQos1);
    Violation violation;
    const auto route = [&](std::uint16_t identifier, const Buffer& codes) {
      return operations.route(row.type, SubscriptionAck{identifier, codes}, row.version, violation);
    };
    CHECK_EQ(route(999, {0, 0}), Route::kDrop);
    for (const std::uint16_t identifier : {wrong, publish}) {
      violation = {};
      CHECK_EQ(route(identifier, {0, 0}), Route::kViolation);
      CHECK_EQ(violation.reason, reason::kProtocolError);
    }
    if (!row.has_codes) {
      CHECK_EQ(route(right, {}), Route::kPaho);
      continue;
    }
    for (const Buffer& codes : {Buffer{}, Buffer{0}, Buffer{0, 0, 0}}) {
      violation = {};
      CHECK_EQ(route(right, codes), Route::kViolation);
      CHECK_EQ(violation.reason, reason::kProtocolError);
    }
    CHECK_EQ(route(right, {0, 0x80}), Route::kPaho);
    CHECK_EQ(operations.finish(right)->codes, bytes(0, 0x80));
  }
}

}  // namespace
}  // namespace aiomqtt::testing
