#include "engine/held_messages.h"

#include "tests/bytes.h"
#include "tests/harness.h"

namespace aiomqtt::testing {
namespace {

using Arrival = HeldMessages::Arrival;
using Release = HeldMessages::Release;

Buffer saved(const HeldMessages& held) {
  RawBuffer to;
  held.save(to);
  return copy_of(to);
}

TEST("held messages: QoS 1 is acknowledged once, and then its identifier is free") {
  HeldMessages held(10);
  CHECK(!held.acknowledge(5, 1));
  for (int round = 0; round < 2; ++round) {
    CHECK_EQ(held.arrive(5, 1, false), Arrival::kNew);
    CHECK_EQ(held.arrive(5, 1, false), Arrival::kDelivered);
    CHECK(!held.acknowledge(5, 2));
    CHECK(held.acknowledge(5, 1));
    CHECK(!held.acknowledge(5, 1));
  }
  CHECK(saved(held).empty());
}

TEST("held messages: QoS 2 is acknowledged, repeated, released") {
  HeldMessages held(10);
  CHECK_EQ(held.release(5), Release::kUnknown);
  for (int round = 0; round < 2; ++round) {
    CHECK_EQ(held.arrive(5, 2, false), Arrival::kNew);
    CHECK_EQ(held.arrive(5, 2, false), Arrival::kDelivered);
    CHECK_EQ(held.release(5), Release::kTooEarly);
    CHECK(!held.acknowledge(5, 1));
    CHECK(held.acknowledge(5, 2));
    CHECK(!held.acknowledge(5, 2));
    CHECK_EQ(held.arrive(5, 2, true), Arrival::kAcknowledged);
    CHECK_EQ(held.release(5), Release::kReleased);
    CHECK_EQ(held.release(5), Release::kUnknown);
  }
}

TEST("held messages: an identifier has one message at a time, unless the broker forgot the last") {
  HeldMessages held(10);
  CHECK_EQ(held.arrive(5, 2, false), Arrival::kNew);
  CHECK_EQ(held.arrive(5, 1, false), Arrival::kInUse);
  CHECK(held.acknowledge(5, 2));
  CHECK_EQ(held.arrive(5, 1, false), Arrival::kNew);
  CHECK_EQ(held.arrive(5, 2, false), Arrival::kInUse);
  CHECK(held.acknowledge(5, 1));
  CHECK_EQ(held.arrive(5, 2, false), Arrival::kNew);
}

TEST("held messages: no more than allowed are unfinished, those of older connections apart") {
  HeldMessages held(2);
  held.restore(bytes(7, 0, 0, 0, 8, 0, 0, 0));
  CHECK_EQ(held.arrive(1, 1, false), Arrival::kNew);
  CHECK_EQ(held.arrive(2, 2, false), Arrival::kNew);
  CHECK_EQ(held.arrive(2, 2, false), Arrival::kDelivered);
  CHECK(held.acknowledge(1, 1));
  CHECK(held.acknowledge(2, 2));
  // Only PUBREL ends a QoS 2 message.
  CHECK_EQ(held.arrive(3, 1, false), Arrival::kNew);
  CHECK_EQ(held.release(2), Release::kReleased);
  // One of an older connection counts when it comes again.
  CHECK_EQ(held.arrive(7, 2, true), Arrival::kAcknowledged);
  CHECK_EQ(held.arrive(7, 2, true), Arrival::kAcknowledged);
  CHECK_EQ(held.release(8), Release::kReleased);
  CHECK_EQ(held.arrive(4, 1, false), Arrival::kTooMany);
}

TEST("held messages: what was acknowledged is repeated with DUP; without it this is another one") {
  HeldMessages held(2);
  held.restore(bytes(7, 0, 0, 0, 8, 0, 0, 0));
  CHECK_EQ(held.arrive(7, 2, true), Arrival::kAcknowledged);
  CHECK_EQ(held.arrive(8, 2, false), Arrival::kNew);
  CHECK_EQ(held.arrive(8, 2, true), Arrival::kDelivered);
  CHECK(held.acknowledge(8, 2));
  CHECK_EQ(held.arrive(8, 2, true), Arrival::kAcknowledged);
  // It takes the place of the one that the broker forgot, also in what is unfinished.
  CHECK_EQ(held.arrive(8, 2, false), Arrival::kNew);
  CHECK_EQ(held.release(8), Release::kTooEarly);
  CHECK(held.acknowledge(8, 2));
  CHECK_EQ(held.release(8), Release::kReleased);
  CHECK_EQ(held.release(7), Release::kReleased);
}

TEST("held messages: what waits for its PUBREL is saved, and nothing else") {
  HeldMessages before(65535);
  for (const std::uint16_t each : {1, 2, 65535})
    CHECK_EQ(before.arrive(each, 2, false), Arrival::kNew);
  CHECK_EQ(before.arrive(4, 1, false), Arrival::kNew);
  CHECK(before.acknowledge(65535, 2));
  const Buffer kept = saved(before);
  CHECK_EQ(kept, bytes(255, 255, 0, 0));
  for (std::size_t size = 0; size <= kept.size(); ++size) {
    HeldMessages after(65535);
    after.restore(ExactCopy(Bytes(kept).first(size)).view());
    CHECK_EQ(after.release(65535), size == kept.size() ? Release::kReleased : Release::kUnknown);
  }
  HeldMessages forgetful(65535);
  forgetful.restore(kept);
  forgetful.forget();
  CHECK_EQ(forgetful.arrive(65535, 2, false), Arrival::kNew);
}

}  // namespace
}  // namespace aiomqtt::testing
