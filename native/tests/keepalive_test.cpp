#include <sys/socket.h>

#include <array>
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
  CHECK_EQ(longer.connection->io().keepalive().interval(), 100'000);
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

// What the peer has sent, and nobody has read.
void let_wait(Direct& direct, std::size_t bytes) {
  const Buffer some(bytes, std::uint8_t{0xd0});
  const int peer = static_cast<ScriptedStream*>(direct.connection->output().stream())->peer();
  CHECK_EQ(::send(peer, some.data(), some.size(), 0), static_cast<ssize_t>(bytes));
}

TEST("keepalive: PINGREQ leaves before the interval is over, and the next look is in time for it") {
  for (const int seconds : {1, 2, 5, 60}) {
    Direct direct(with_keepalive(seconds));
    direct.accept();
    const std::int64_t start = now_ms();
    const std::int64_t look = direct.connection->io().next_look(start);
    CHECK(look <= start + seconds * 1000);
    CHECK(look >= start + seconds * 850);
    CHECK(direct.connection->io().keep_alive(look));
    CHECK_EQ(direct.written(), kPingreq);
  }
}

TEST("keepalive: while the broker speaks but does not answer PINGREQ, it hears of us in time") {
  Direct direct(with_keepalive(10));
  direct.accept();
  Connection& connection = *direct.connection;
  std::int64_t now = now_ms();
  std::int64_t spoken = now;
  for (int round = 0; round < 50; ++round) {
    now = connection.io().next_look(now);
    connection.io().note_received(now, 1);
    CHECK(connection.io().keep_alive(now));
    if (!direct.written().empty()) {
      CHECK(now - spoken <= 10'000);
      spoken = now;
    }
  }
  CHECK(now - spoken <= 10'000);
}

TEST("keepalive: the answer is waited for from when PINGREQ has left, and while bytes leave") {
  Direct direct(with_keepalive(10));
  direct.accept();
  Connection& connection = *direct.connection;
  // A large packet, of which the peer takes a little at a time.
  direct.script.writes = {1000, 0};
  (void)connection.output().append({Bytes(Buffer(100'000))});
  std::int64_t now = now_ms() + 10'000;
  direct.script.writes = {0};
  CHECK(connection.io().keep_alive(now));
  for (int round = 0; round < 20; ++round) {
    now += 4'000;
    direct.script.writes = {1000, 0};
    connection.output().on_writable();
    CHECK(connection.io().keep_alive(now));
  }
  connection.output().on_writable();
  CHECK(connection.output().empty());
  now += 4'000;
  CHECK(connection.io().keep_alive(now));
  // What was sent before PINGREQ may be on a slow way still.
  CHECK(connection.io().keep_alive(now + 6'400));
  CHECK(!connection.io().keep_alive(now + 6'600));
}

TEST("keepalive: nothing that was answered is still on its way") {
  Direct direct(with_keepalive(10));
  direct.accept();
  Connection& connection = *direct.connection;
  (void)connection.output().append({Bytes(Buffer(10'000'000))});
  const std::int64_t pinged = now_ms() + 10'000;
  connection.io().note_received(now_ms(), 1);
  CHECK(connection.io().keep_alive(pinged));
  CHECK(connection.io().keep_alive(pinged + 4'900));
  CHECK(!connection.io().keep_alive(pinged + 5'000));
}

TEST("keepalive: a peer that takes nothing and says nothing is dead, though PINGREQ has not left") {
  Direct direct(with_keepalive(10));
  direct.accept();
  Connection& connection = *direct.connection;
  direct.script.writes = {1000, 0, 0};
  (void)connection.output().append({Bytes(Buffer(100'000))});
  const std::int64_t pinged = now_ms() + 10'000;
  CHECK(connection.io().keep_alive(pinged));
  CHECK(connection.io().keep_alive(pinged + 4'000));
  CHECK(!connection.io().keep_alive(pinged + 5'000));
}

TEST("keepalive: what is written behind PINGREQ and finds room in the kernel shows no life") {
  Direct direct(with_keepalive(10));
  direct.accept();
  Connection& connection = *direct.connection;
  const std::int64_t pinged = now_ms() + 10'000;
  CHECK(connection.io().keep_alive(pinged));
  for (int second = 1; second < 5; ++second) {
    CHECK(connection.output().append({Bytes(Buffer(100))}));
    connection.output().flush();
    CHECK(connection.io().keep_alive(pinged + second * 1'000));
  }
  CHECK(!connection.io().keep_alive(pinged + 5'010));
}

TEST("keepalive: what waits in the socket is read before a broker is found dead") {
  Direct direct(with_keepalive(10));
  direct.accept();
  const std::int64_t pinged = now_ms() + 10'000;
  CHECK(direct.connection->io().keep_alive(pinged));
  let_wait(direct, 2);
  CHECK(direct.connection->io().keep_alive(pinged + 60'000));
  CHECK_EQ(direct.receive(packet(0xd0)), Taken::kHere);
  CHECK(direct.connection->io().keep_alive(pinged + 60'100));
}

TEST("keepalive: the time in which we did not run does not count") {
  Direct direct(with_keepalive(10));
  direct.accept();
  const std::int64_t pinged = now_ms() + 10'000;
  CHECK(direct.connection->io().keep_alive(pinged));
  direct.connection->io().keepalive().note_absence(60'000);
  CHECK(direct.connection->io().keep_alive(pinged + 64'900));
  CHECK(!direct.connection->io().keep_alive(pinged + 65'000));
}

TEST("keepalive: while reading is paused, what arrives is an answer") {
  Direct direct(with_keepalive(10));
  direct.accept();
  direct.connection->io().pause(IoHalf::kForRoom);
  const std::int64_t start = now_ms();
  for (int round = 1; round <= 5; ++round) {
    CHECK(direct.connection->io().keep_alive(start + round * 20'000));
    CHECK_EQ(direct.written(), kPingreq);
    let_wait(direct, 2);
    CHECK(direct.connection->io().keep_alive(start + round * 20'000 + 5'000));
  }
  direct.connection->io().resume(IoHalf::kForRoom);
  CHECK(!direct.connection->io().paused());
}

TEST("keepalive: a broker that says nothing more is found dead while reading is paused") {
  for (const std::size_t waiting : {0, 100}) {
    Direct direct(with_keepalive(10));
    direct.accept();
    direct.connection->io().pause(IoHalf::kForRoom);
    if (waiting > 0) let_wait(direct, waiting);
    const std::int64_t pinged = now_ms() + 10'000;
    CHECK(direct.connection->io().keep_alive(pinged));
    CHECK_EQ(direct.written(), kPingreq);
    CHECK(!direct.connection->io().keep_alive(pinged + 5'000));
  }
}

TEST(
    "keepalive: while so much waits that nothing more may fit, a broker that takes PINGREQ lives") {
  Direct direct(with_keepalive(10));
  direct.accept();
  direct.connection->io().pause(IoHalf::kForRoom);
  let_wait(direct, 100'000);
  const std::int64_t pinged = now_ms() + 10'000;
  CHECK(direct.connection->io().keep_alive(pinged));
  CHECK(direct.connection->io().keep_alive(pinged + 5'000));
  direct.script.writes = {0};
  CHECK(direct.connection->io().keep_alive(pinged + 20'000));
  CHECK(!direct.connection->io().keep_alive(pinged + 25'000));
}

TEST(
    "keepalive: JavaScript that passes on the bytes has to come by before its silence is the "
    "broker's") {
  ConnectionOptions options = with_keepalive(10);
  std::array<NativeSocket, 2> ends{};
  CHECK_EQ(open_pair(ends), 0);
  const Descriptor other(ends[1]);
  options.descriptor = Descriptor(ends[0]);
  Direct direct(std::move(options));
  direct.accept();
  IoHalf& half = direct.connection->io();
  const std::int64_t pinged = now_ms() + 10'000;
  CHECK(half.keep_alive(pinged));
  CHECK_EQ(direct.written(), kPingreq);
  CHECK(half.keep_alive(pinged + 5'000));
  CHECK_EQ(direct.written(), kPingreq);
  CHECK(half.keep_alive(pinged + 10'000));
  CHECK(half.keep_alive(pinged + 100'000));
  CHECK(direct.events().empty());
  CHECK(half.keep_alive(pinged + 104'900));
  CHECK(!half.keep_alive(pinged + 105'000));
}

TEST("pause: each reason must go before reading goes on") {
  Direct direct(kMqtt311);
  Connection& connection = *direct.connection;
  connection.io().resume(IoHalf::kByInbox);
  CHECK(!connection.io().paused());
  connection.io().pause(IoHalf::kForRoom);
  connection.io().pause(IoHalf::kByInbox);
  connection.io().resume(IoHalf::kForRoom);
  CHECK(connection.io().paused());
  connection.io().resume(IoHalf::kByInbox);
  CHECK(!connection.io().paused());
}

}  // namespace
}  // namespace aiomqtt::testing
