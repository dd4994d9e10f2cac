#include <chrono>
#include <thread>

#include "tests/direct.h"

namespace aiomqtt::testing {
namespace {

using Taken = IoHalf::Taken;
const Buffer kPingreq = packet(0xc0);

ConnectionOptions with_keepalive(int seconds, int version = kMqtt311) {
  ConnectionOptions options = options_for({}, version);
  options.fields.keepalive = seconds;
  return options;
}

TEST("keepalive: PINGREQ leaves when the keepalive passed without a word, not before") {
  Direct direct(with_keepalive(10));
  direct.accept();
  const std::int64_t start = now_ms();
  CHECK(direct.connection->io().keep_alive(start + 9'000));
  CHECK(direct.written().empty());
  CHECK(direct.connection->io().keep_alive(start + 10'100));
  CHECK_EQ(direct.written(), kPingreq);
  CHECK(direct.connection->io().keep_alive(start + 10'200));
  CHECK(direct.written().empty());
}

TEST("keepalive: a broker that does not answer is given half a keepalive more") {
  Direct direct(with_keepalive(10));
  direct.accept();
  const std::int64_t start = now_ms();
  const std::int64_t pinged = start + 10'100;
  CHECK(direct.connection->io().keep_alive(pinged));
  CHECK(direct.connection->io().keep_alive(pinged + 4'900));
  CHECK(!direct.connection->io().keep_alive(pinged + 5'000));
}

TEST("keepalive: an answer begins a new round, and anything that arrives shows life") {
  Direct direct(with_keepalive(10));
  direct.accept();
  const std::int64_t pinged = now_ms() + 10'100;
  CHECK(direct.connection->io().keep_alive(pinged));
  CHECK_EQ(direct.written(), kPingreq);
  direct.connection->io().note_received(pinged + 4'000, 0);
  CHECK(direct.connection->io().keep_alive(pinged + 8'000));
  CHECK(direct.written().empty());
  CHECK_EQ(direct.receive(packet(0xd0)), Taken::kHere);
  CHECK(direct.connection->io().keep_alive(pinged + 30'000));
  CHECK_EQ(direct.written(), kPingreq);
  CHECK(!direct.connection->io().keep_alive(pinged + 35'000));
}

TEST(
    "keepalive: the time to PINGRESP is the round trip; a PINGRESP that nothing asked for has "
    "none") {
  Direct direct(with_keepalive(10));
  CHECK_EQ(direct.connection->state().traffic().round_trip_us, -1);
  direct.accept();
  const std::int64_t of_connect = direct.connection->state().traffic().round_trip_us;
  CHECK_EQ(direct.receive(packet(0xd0)), Taken::kHere);
  CHECK_EQ(direct.connection->state().traffic().round_trip_us, of_connect);
  const std::int64_t before = now_us();
  CHECK(direct.connection->io().keep_alive(now_ms() + 10'100));
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  CHECK_EQ(direct.receive(packet(0xd0)), Taken::kHere);
  const std::int64_t taken = direct.connection->state().traffic().round_trip_us;
  CHECK(taken >= 2'000);
  CHECK(taken <= now_us() - before);
}

TEST("keepalive: the server's own takes the place of ours, and 0 turns it off") {
  Direct longer(with_keepalive(10, kMqtt5));
  longer.accept(bytes(0x13, u16(100)));
  CHECK_EQ(longer.connection->io().keepalive_ms(), 100'000);
  CHECK(longer.connection->io().keep_alive(now_ms() + 50'000));
  CHECK(longer.written().empty());

  Direct off(with_keepalive(10, kMqtt5));
  off.accept(bytes(0x13, u16(0)));
  CHECK(off.connection->io().keep_alive(now_ms() + 1'000'000));
  CHECK(off.written().empty());

  Direct ours(with_keepalive(0));
  ours.accept();
  CHECK(ours.connection->io().keep_alive(now_ms() + 1'000'000));
  CHECK(ours.written().empty());
}

TEST("keepalive: no PINGREQ before CONNACK") {
  Direct direct(with_keepalive(1));
  CHECK(direct.connection->io().keep_alive(now_ms() + 100'000));
  CHECK(direct.written().empty());
}

TEST("keepalive: no PINGREQ after DISCONNECT") {
  Direct direct(with_keepalive(1));
  direct.accept();
  direct.connection->state().note_closing();
  CHECK(direct.connection->io().keep_alive(now_ms() + 100'000));
  CHECK(direct.written().empty());
}

TEST("keepalive: while reading is paused the broker hears of us, and is not found dead") {
  Direct direct(with_keepalive(10));
  direct.accept();
  direct.connection->io().pause(IoHalf::kForRoom);
  CHECK(direct.connection->io().paused());
  const std::int64_t start = now_ms();
  for (int round = 1; round <= 5; ++round) {
    CHECK(direct.connection->io().keep_alive(start + round * 20'000));
    CHECK_EQ(direct.written(), kPingreq);
  }
  direct.connection->io().resume(IoHalf::kForRoom, start + 100'500);
  CHECK(!direct.connection->io().paused());
  // The answers to those PINGREQs are still to be read.
  CHECK(direct.connection->io().keep_alive(start + 101'000));
}

TEST("pause: each reason must go before reading goes on") {
  Direct direct(kMqtt311);
  Connection& connection = *direct.connection;
  connection.io().resume(IoHalf::kByInbox, now_ms());
  CHECK(!connection.io().paused());
  connection.io().pause(IoHalf::kForRoom);
  connection.io().pause(IoHalf::kByInbox);
  connection.io().resume(IoHalf::kForRoom, now_ms());
  CHECK(connection.io().paused());
  connection.io().resume(IoHalf::kByInbox, now_ms());
  CHECK(!connection.io().paused());
}

}  // namespace
}  // namespace aiomqtt::testing
