// Without a connected Paho, which refuses whatever it is handed: each command that Outbound lets
// through ends at once with the code of that refusal, so their order shows what was let through
// when. What Paho makes of them is tested end to end (engine_publish_test.cpp).
#include "engine/outbound.h"

#include "tests/commands.h"
#include "tests/scripted_stream.h"

namespace aiomqtt::testing {
namespace {

constexpr std::uint32_t kAnyConnection = 3;
constexpr std::uint32_t kRefusedByPaho = code::kRefused + 1;

class Submitting {
 public:
  explicit Submitting(std::uint16_t window = 20) : limits(window) {
    output_.attach(std::make_unique<ScriptedStream>(script_));
  }

 private:
  Script script_;
  Poller poller_;
  Output output_{poller_, {kAnyConnection, 0}};
  Operations operations_{0};

 public:
  PublishLimits limits;
  Outbound outbound{operations_, output_, limits};

  // The operations that ended, in order: their numbers, withdrawn ones negative.
  std::vector<int> submit(const Buffer& command) {
    std::vector<Outbound::Done> done;
    outbound.submit(CommandView(ExactCopy(command).view()), nullptr, done);
    return ended(done);
  }
  std::vector<int> feed() {
    std::vector<Outbound::Done> done;
    CHECK(outbound.feed(done));
    return ended(done);
  }

  void congest() {
    script_.writes.assign(10'000, 0);
    (void)output_.append({Buffer(Output::kHighWater + 1)});
    CHECK(output_.congested());
  }
  void relieve() {
    script_.writes.clear();
    output_.on_writable();
    CHECK(output_.empty());
  }

 private:
  static std::vector<int> ended(const std::vector<Outbound::Done>& done) {
    std::vector<int> result;
    for (const Outbound::Done& each : done) {
      const auto operation = static_cast<int>(each.operation);
      if (each.code == code::kWithdrawn) {
        result.push_back(-operation);
      } else {
        CHECK_EQ(each.code, kRefusedByPaho);
        result.push_back(operation);
      }
    }
    return result;
  }
};

Buffer publish(std::uint32_t operation, int qos) {
  PublishFields fields;
  fields.qos = qos;
  fields.payload = bytes("payload");
  fields.properties = bytes(0);
  return publish_command(kAnyConnection, operation, fields);
}

Buffer subscribe(std::uint32_t operation) {
  return subscribe_command(kAnyConnection, operation, {{"a/b", 1}, {"c/#", 2}}, bytes(0));
}

Buffer unsubscribe(std::uint32_t operation) {
  return unsubscribe_command(kAnyConnection, operation, {{"a/b"}});
}

Buffer cancel(std::uint32_t operation) { return cancel_command(kAnyConnection, operation); }

using Numbers = std::vector<int>;

TEST("outbound: what nothing holds back goes to Paho at once") {
  Submitting submitting;
  CHECK(submitting.submit(publish(1, 0)) == Numbers{1});
  CHECK(submitting.submit(publish(2, 1)) == Numbers{2});
  CHECK(submitting.submit(publish(3, 2)) == Numbers{3});
  CHECK(submitting.submit(subscribe(4)) == Numbers{4});
  CHECK(submitting.submit(unsubscribe(5)) == Numbers{5});
  CHECK(!submitting.limits.is_waiting());
}

TEST("outbound: a publish that Paho refuses frees its place in the window") {
  Submitting submitting(1);
  for (int i = 1; i <= 3; ++i) {
    CHECK(submitting.submit(publish(static_cast<std::uint32_t>(i), 1)) == Numbers{i});
  }
}

TEST("outbound: a full window holds back QoS 1 and 2, and nothing else") {
  Submitting submitting(0);
  CHECK(submitting.submit(publish(1, 1)).empty());
  CHECK(submitting.submit(publish(2, 2)).empty());
  CHECK(submitting.limits.is_waiting());
  CHECK(submitting.submit(publish(3, 0)) == Numbers{3});
  CHECK(submitting.submit(subscribe(4)) == Numbers{4});
  CHECK(submitting.submit(unsubscribe(5)) == Numbers{5});
  CHECK(submitting.feed().empty());
}

TEST("outbound: the broker's Receive Maximum lowers the window and never raises it") {
  Submitting submitting(20);
  submitting.limits.set_receive_maximum(30);
  CHECK(submitting.submit(publish(1, 1)) == Numbers{1});
  submitting.limits.set_receive_maximum(0);
  CHECK(submitting.submit(publish(2, 1)).empty());
  PublishLimits limits(2);
  limits.set_receive_maximum(30);
  limits.take_place();
  limits.take_place();
  CHECK(limits.window_is_full());
}

TEST("outbound: an abandoned publish leaves our own window, and not the Receive Maximum") {
  PublishLimits limits(2);
  limits.set_receive_maximum(3);
  limits.take_place();
  limits.take_place();
  CHECK(limits.window_is_full());
  limits.abandon_place();
  CHECK(!limits.window_is_full());
  limits.take_place();
  CHECK(limits.window_is_full());
  limits.abandon_place();
  limits.abandon_place();
  CHECK(limits.window_is_full());
  CHECK(!limits.release_place(true));
  CHECK(!limits.window_is_full());
  CHECK(!limits.release_place(true));
  CHECK(!limits.release_place(true));
  limits.take_place();
  CHECK(!limits.window_is_full());
  limits.take_place();
  CHECK(limits.window_is_full());
}

TEST("outbound: a congested stream holds back everything, and lets it go in order") {
  Submitting submitting;
  submitting.congest();
  CHECK(submitting.submit(publish(1, 0)).empty());
  CHECK(submitting.submit(publish(2, 1)).empty());
  CHECK(submitting.submit(subscribe(3)).empty());
  CHECK(submitting.submit(publish(4, 0)).empty());
  CHECK(submitting.feed().empty());
  CHECK(submitting.limits.is_waiting());
  submitting.relieve();
  // Not past those that wait.
  CHECK(submitting.submit(publish(5, 0)).empty());
  CHECK((submitting.feed() == Numbers{1, 2, 3, 4, 5}));
  CHECK(!submitting.limits.is_waiting());
  CHECK(submitting.submit(publish(6, 0)) == Numbers{6});
}

TEST("outbound: what waited for the stream may still have to wait for the window") {
  Submitting submitting(0);
  submitting.congest();
  CHECK(submitting.submit(publish(1, 1)).empty());
  CHECK(submitting.submit(publish(2, 0)).empty());
  submitting.relieve();
  CHECK(submitting.feed() == Numbers{2});
  CHECK(submitting.limits.is_waiting());
  CHECK(submitting.submit(cancel(1)) == Numbers{-1});
  CHECK(!submitting.limits.is_waiting());
}

TEST("outbound: much that waited is fed in pieces, so that congestion is noticed in between") {
  Submitting submitting;
  submitting.congest();
  PublishFields fields;
  fields.payload = Buffer(100'000);
  for (std::uint32_t i = 1; i <= 10; ++i) {
    CHECK(submitting.submit(publish_command(kAnyConnection, i, fields)).empty());
  }
  submitting.relieve();
  std::vector<Outbound::Done> done;
  int pieces = 1;
  while (!submitting.outbound.feed(done)) {
    CHECK(done.size() < static_cast<std::size_t>(pieces) * 4);
    ++pieces;
  }
  CHECK_EQ(done.size(), 10U);
  CHECK(pieces > 2);
}

TEST("outbound: CANCEL withdraws what waits, wherever it waits, and only that") {
  Submitting window(0);
  CHECK(window.submit(publish(1, 1)).empty());
  CHECK(window.submit(publish(2, 2)).empty());
  CHECK(window.submit(publish(3, 1)).empty());
  CHECK(window.submit(cancel(2)) == Numbers{-2});
  CHECK(window.submit(cancel(2)).empty());
  CHECK(window.submit(cancel(99)).empty());
  CHECK(window.submit(cancel(3)) == Numbers{-3});
  CHECK(window.submit(cancel(1)) == Numbers{-1});
  CHECK(!window.limits.is_waiting());

  Submitting stream;
  stream.congest();
  CHECK(stream.submit(publish(1, 0)).empty());
  CHECK(stream.submit(subscribe(2)).empty());
  CHECK(stream.submit(publish(3, 1)).empty());
  CHECK(stream.submit(cancel(2)) == Numbers{-2});
  stream.relieve();
  CHECK((stream.feed() == Numbers{1, 3}));
  CHECK(stream.submit(cancel(1)).empty());
}

TEST("outbound: after stop() nothing waits") {
  Submitting submitting(0);
  CHECK(submitting.submit(publish(1, 1)).empty());
  submitting.congest();
  CHECK(submitting.submit(publish(2, 0)).empty());
  submitting.outbound.stop();
  CHECK(!submitting.limits.is_waiting());
  submitting.relieve();
  CHECK(submitting.feed().empty());
  CHECK(submitting.submit(cancel(1)).empty());
}

TEST("commands: their fields are where ts/engine/command-batch.ts puts them") {
  PublishFields fields;
  fields.topic = "topic";
  fields.payload = bytes("payload");
  fields.qos = 2;
  fields.retain = true;
  fields.dup = true;
  fields.identifier = 0x1234;
  fields.properties = bytes(2, 1, 1);
  const Buffer raw = publish_command(7, 0xfffffffe, fields);
  CHECK_EQ(raw.size() % 4, 0U);
  const CommandView command(raw);
  CHECK_EQ(command.word(0), raw.size());
  CHECK_EQ(command.kind(), command::kPublish);
  CHECK_EQ(command.flags(), 14U);
  CHECK_EQ(command.connection(), 7U);
  CHECK_EQ(command.operation(), 0xfffffffeU);
  CHECK_EQ(command.word(4), 5U);
  CHECK_EQ(command.word(5), 3U);
  CHECK_EQ(command.word(6), 7U);
  CHECK_EQ(command.word(7), 0x1234U);
  CHECK_EQ(text_of(command.after(8).first(6)), std::string("topic\0", 6));
}

}  // namespace
}  // namespace aiomqtt::testing
