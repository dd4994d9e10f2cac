#include "engine/output.h"

#include <unistd.h>

#include <thread>

#include "tests/open_poller.h"
#include "tests/scripted_stream.h"

namespace aiomqtt::testing {
namespace {

constexpr Poller::Token kOutputToken{7, 8};

// An output with a scripted stream, and the poller that it registers with.
class Sending {
 public:
  Sending() {
    auto stream = std::make_unique<ScriptedStream>(script);
    stream_ = stream.get();
    output.attach(std::move(stream));
  }

  Script script;
  OpenPoller poller;
  Output output{poller, kOutputToken};

  // What the poller reports of the stream just now; 0 when nothing.
  std::uint32_t ready() {
    Poller::Event events[4];
    const std::size_t count = poller.wait(0, events);
    if (count == 0) return 0;
    CHECK_EQ(count, 1U);
    CHECK_EQ(events[0].token.connection, kOutputToken.connection);
    CHECK_EQ(events[0].token.part, kOutputToken.part);
    return events[0].ready;
  }
  // The peer writes a byte, so that the stream's descriptor is readable from now on.
  void make_readable() { CHECK_EQ(::write(stream_->peer(), "x", 1), 1); }
  // The peer is gone.
  void break_stream() { CHECK_EQ(::shutdown(stream_->peer(), SHUT_RDWR), 0); }
  bool append(const Buffer& bytes) { return output.append({bytes}); }

 private:
  ScriptedStream* stream_ = nullptr;
};

TEST("output: parts are appended one after the other and leave with the next flush") {
  Sending sending;
  const Buffer parts[] = {bytes("a"), bytes(""), bytes("bc"), bytes("def")};
  CHECK(sending.output.append({parts[0], parts[1], parts[2], parts[3]}));
  CHECK_EQ(sending.output.size(), 6U);
  CHECK(sending.script.written.empty());
  sending.output.flush();
  CHECK_EQ(sending.script.written, bytes("abcdef"));
  CHECK_EQ(sending.script.write_calls, 1U);
  CHECK(sending.output.empty());
}

TEST("output: shared parts leave in their places among the copied ones, in pieces of any size") {
  const auto shared = [](std::uint32_t number) {
    auto buffer = std::make_shared<RawBuffer>();
    buffer->append(patterned(number, 40));
    return buffer;
  };
  for (std::size_t piece = 1; piece < 60; ++piece) {
    const Note note("pieces of " + std::to_string(piece));
    Sending sending;
    std::weak_ptr<const RawBuffer> first;
    {
      SharedBuffer buffer = shared(1);
      first = buffer;
      (void)sending.output.append({bytes("head")}, std::move(buffer));
    }
    (void)sending.output.append({bytes("between"), bytes("and")}, shared(2));
    (void)sending.output.append({}, shared(3));
    (void)sending.output.append({bytes("tail")});
    CHECK_EQ(sending.output.size(), 4U + 40 + 10 + 40 + 40 + 4);
    CHECK(!first.expired());
    sending.script.writes.assign(200, piece);
    sending.output.flush();
    CHECK(sending.output.empty());
    CHECK(first.expired());
    CHECK_EQ(sending.script.written, bytes("head", patterned(1, 40), "betweenand", patterned(2, 40),
                                           patterned(3, 40), "tail"));
  }
}

TEST("output: shared parts are let go of when writing fails, and when the stream is taken away") {
  auto buffer = std::make_shared<RawBuffer>(100);
  const std::weak_ptr<const RawBuffer> watched = buffer;
  Sending sending;
  sending.script.writes = {0};
  (void)sending.output.append({bytes("a")}, buffer);
  sending.output.flush();
  sending.script.write_error = EPIPE;
  sending.output.on_writable();
  CHECK_EQ(sending.output.size(), 0U);
  CHECK_EQ(watched.use_count(), 1);

  Sending detached;
  detached.script.writes = {0};
  (void)detached.output.append({bytes("a")}, std::move(buffer));
  (void)detached.output.detach();
  CHECK(watched.expired());
}

TEST("output: an operation has departed when the stream has its last byte, told once, in order") {
  using Operations = std::vector<std::uint32_t>;
  for (std::size_t piece = 1; piece < 12; ++piece) {
    const Note note("pieces of " + std::to_string(piece));
    Sending sending;
    const std::size_t sizes[] = {3, 6, 8};
    sending.script.writes = {0};
    CHECK(sending.output.append({bytes("abc")}, nullptr, 7));
    CHECK(!sending.output.append({bytes("d")}, std::make_shared<RawBuffer>(2), 8));
    CHECK(!sending.output.append({bytes("gh")}, nullptr, 9));
    (void)sending.output.append({bytes("nobody's")});
    sending.output.flush();
    CHECK(!sending.output.has_departed());
    CHECK(sending.output.take_departed().empty());
    for (std::size_t told = 0; !sending.output.empty();) {
      sending.script.writes = {piece, 0};
      sending.output.on_writable();
      const std::uint64_t left = sending.output.total_sent();
      Operations expected;
      for (; told < 3 && sizes[told] <= left; ++told)
        expected.push_back(static_cast<std::uint32_t>(7 + told));
      CHECK_EQ(sending.output.has_departed(), !expected.empty());
      CHECK(sending.output.take_departed() == expected);
      CHECK(sending.output.take_departed().empty());
    }
  }
}

TEST("output: what left without a flush of the caller's asks for one all the same, to be told") {
  Sending sending;
  CHECK(sending.output.append({Buffer(Output::kFlushSize)}, nullptr, 5));
  CHECK(sending.output.empty());
  CHECK(sending.output.take_departed() == std::vector<std::uint32_t>{5});
  CHECK(!sending.output.append({Buffer(Output::kFlushSize)}));
}

TEST("output: what writing fails for, and what the stream is taken away from, does not depart") {
  for (const bool fails : {true, false}) {
    Sending sending;
    sending.script.writes = {3, 0};
    (void)sending.output.append({bytes("abc")}, nullptr, 1);
    (void)sending.output.append({bytes("def")}, nullptr, 2);
    sending.output.flush();
    if (fails) {
      sending.script.write_error = EPIPE;
      sending.output.on_writable();
    } else {
      (void)sending.output.detach();
    }
    CHECK(sending.output.take_departed() == std::vector<std::uint32_t>{1});
    CHECK(!sending.output.append({bytes("ghi")}, nullptr, 3));
    CHECK(!sending.output.has_departed());
  }
}

TEST("output: only the first append since the last flush asks for one") {
  Sending sending;
  CHECK(sending.append(bytes("a")));
  CHECK(!sending.append(bytes("b")));
  sending.output.flush();
  CHECK(sending.append(bytes("c")));
  sending.output.flush();
  CHECK_EQ(sending.script.written, bytes("abc"));
  CHECK(!sending.append({}));
}

TEST("output: from 64 KiB on it does not wait for a flush") {
  Sending sending;
  CHECK(sending.append(Buffer(Output::kFlushSize - 1, 'x')));
  CHECK_EQ(sending.script.write_calls, 0U);
  CHECK(!sending.append(bytes("y")));
  CHECK_EQ(sending.script.write_calls, 1U);
  CHECK(sending.output.empty());
  // All has left, so the next is a first one again.
  CHECK(sending.append(bytes("z")));
}

TEST("output: writes that take one byte each lose nothing") {
  Sending sending;
  const Buffer text = bytes("the quick brown fox");
  sending.script.writes.assign(text.size(), 1);
  CHECK(sending.append(text));
  sending.output.flush();
  CHECK_EQ(sending.script.written, text);
}

TEST("output: what would block waits for the stream to be writable, and order is kept") {
  Sending sending;
  sending.script.writes = {3, 0};
  CHECK(sending.append(bytes("abcdef")));
  CHECK_EQ(sending.ready(), 0U);
  sending.output.flush();
  CHECK_EQ(sending.script.written, bytes("abc"));
  CHECK_EQ(sending.output.size(), 3U);
  CHECK_EQ(sending.ready(), Poller::kWritable);

  sending.script.writes = {1, 0};
  CHECK(sending.append(bytes("gh")));
  CHECK_EQ(sending.output.size(), 5U);
  sending.output.on_writable();
  CHECK_EQ(sending.script.written, bytes("abcd"));
  CHECK_EQ(sending.ready(), Poller::kWritable);

  sending.output.on_writable();
  CHECK_EQ(sending.script.written, bytes("abcdefgh"));
  CHECK_EQ(sending.ready(), 0U);
}

TEST("output: while the stream would block, appends do not try it again and again") {
  Sending sending;
  sending.script.writes = {0, 0, 0, 0};
  CHECK(sending.append(bytes("a")));
  sending.output.flush();
  const std::size_t calls = sending.script.write_calls;
  for (int i = 0; i < 100; ++i) (void)sending.append(Buffer(Output::kFlushSize, 'x'));
  CHECK_EQ(sending.script.write_calls, calls);
}

TEST("output: once a write would block, the poller tells it, even if another flush was faster") {
  Sending sending;
  sending.script.writes = {0};
  CHECK(sending.append(bytes("abc")));
  sending.output.flush();
  // Whoever waits for room (publishes, the end of the connection) waits for this event.
  CHECK(sending.append(bytes("def")));
  sending.output.flush();
  CHECK(sending.output.empty());
  CHECK_EQ(sending.ready(), Poller::kWritable);
  sending.output.on_writable();
  CHECK_EQ(sending.ready(), 0U);
}

TEST("output: it is congested above 1 MiB and tells how much waits") {
  Sending sending;
  sending.script.writes.assign(100, 0);
  (void)sending.append(Buffer(Output::kHighWater));
  CHECK_EQ(sending.output.size(), Output::kHighWater);
  CHECK(!sending.output.congested());
  (void)sending.append(bytes("x"));
  CHECK(sending.output.congested());
  sending.script.writes = {Output::kHighWater + 1 - 100, 0};
  sending.output.flush();
  CHECK(!sending.output.congested());
  CHECK_EQ(sending.output.size(), 100U);
}

TEST("output: megabytes that leave in pieces of any size arrive as they were") {
  Sending sending;
  Buffer all;
  std::uint32_t state = 1;
  for (int i = 0; i < 300; ++i) {
    state = state * 1664525 + 1013904223;
    Buffer part(state >> 16);
    for (std::uint8_t& byte : part) byte = static_cast<std::uint8_t>(state = state * 69069 + 1);
    put(all, part);
    sending.script.writes.push_back(state >> 17);
    sending.script.writes.push_back(0);
    if (sending.append(part) || i % 3 == 0) sending.output.flush();
  }
  while (!sending.output.empty()) sending.output.on_writable();
  CHECK(all.size() > 5'000'000);
  CHECK_EQ(sending.script.written.size(), all.size());
  CHECK(sending.script.written == all);
}

TEST("output: after a failed write it takes nothing more, and says what failed") {
  Sending sending;
  CHECK_EQ(sending.output.error(), 0);
  sending.script.write_error = EPIPE;
  CHECK(sending.append(bytes("abc")));
  sending.output.flush();
  CHECK_EQ(sending.output.error(), EPIPE);
  CHECK(sending.output.empty());
  CHECK(!sending.append(bytes("def")));
  CHECK(sending.output.empty());
  sending.output.flush();
  CHECK_EQ(sending.script.write_calls, 1U);
  // It stays open for reading: what arrived before the failure is still to be had.
  sending.make_readable();
  CHECK_EQ(sending.ready(), Poller::kReadable);
}

TEST("output: a failure while the stream would block ends the wait") {
  Sending sending;
  sending.script.writes = {1, 0};
  CHECK(sending.append(bytes("abc")));
  sending.output.flush();
  sending.script.write_error = ECONNRESET;
  sending.output.on_writable();
  CHECK_EQ(sending.output.error(), ECONNRESET);
  CHECK(sending.output.empty());
  CHECK_EQ(sending.ready(), 0U);
}

TEST("output: the time of the last write moves only when bytes leave") {
  Sending sending;
  const std::int64_t attached = sending.output.last_sent();
  CHECK(attached > 0);
  sending.script.writes = {0};
  CHECK(sending.append(bytes("abc")));
  sending.output.flush();
  CHECK_EQ(sending.output.last_sent(), attached);
  sending.output.flush();
  CHECK(sending.output.last_sent() >= attached);
  CHECK_EQ(sending.script.written, bytes("abc"));
}

TEST("output: reading is polled for, paused and resumed, beside writing") {
  Sending sending;
  sending.make_readable();
  CHECK_EQ(sending.ready(), Poller::kReadable);
  sending.output.pause_reading(true);
  CHECK_EQ(sending.ready(), 0U);
  sending.script.writes = {0, 0};
  CHECK(sending.append(bytes("abc")));
  sending.output.flush();
  CHECK_EQ(sending.ready(), Poller::kWritable);
  sending.output.pause_reading(false);
  CHECK_EQ(sending.ready(), Poller::kReadable | Poller::kWritable);
  sending.output.pause_reading(true);
  CHECK_EQ(sending.ready(), Poller::kWritable);
}

TEST("output: a stream that was paused before it was attached starts paused") {
  Script script;
  OpenPoller poller;
  Output output(poller, kOutputToken);
  output.pause_reading(true);
  auto stream = std::make_unique<ScriptedStream>(script);
  CHECK_EQ(::write(stream->peer(), "x", 1), 1);
  output.attach(std::move(stream));
  Poller::Event events[1];
  CHECK_EQ(poller.wait(0, events), 0U);
  output.pause_reading(false);
  CHECK_EQ(poller.wait(0, events), 1U);
}

TEST("output: a stream that breaks while it is paused can be left alone until it is resumed") {
  Sending sending;
  sending.output.pause_reading(true);
  sending.break_stream();
  CHECK((sending.ready() & Poller::kBroken) != 0);
  sending.output.stop_polling();
  CHECK_EQ(sending.ready(), 0U);
  sending.output.pause_reading(false);
  CHECK((sending.ready() & Poller::kReadable) != 0);
}

TEST("output: after end_replies() only what is appended leaves, so that DISCONNECT is the last") {
  Sending sending;
  CHECK(sending.output.reply(bytes("ack ")));
  sending.output.end_replies();
  CHECK(!sending.output.reply(bytes("late ack ")));
  CHECK(!sending.append(bytes("DISCONNECT")));
  sending.output.flush();
  CHECK(!sending.output.reply(bytes("late ack ")));
  sending.output.flush();
  CHECK_EQ(sending.script.written, bytes("ack DISCONNECT"));
}

TEST("output: without a stream it takes nothing; a detached one is given back and not polled") {
  Script script;
  OpenPoller poller;
  Output output(poller, kOutputToken);
  CHECK(!output.append({bytes("lost")}));
  output.flush();
  CHECK(output.stream() == nullptr);
  CHECK(output.detach() == nullptr);

  auto stream = std::make_unique<ScriptedStream>(script);
  const int peer = stream->peer();
  output.attach(std::move(stream));
  CHECK(output.stream() != nullptr);
  CHECK(output.append({bytes("unsent")}));
  std::unique_ptr<Stream> back = output.detach();
  CHECK(back != nullptr);
  CHECK(output.empty());
  CHECK_EQ(::write(peer, "x", 1), 1);
  Poller::Event events[1];
  CHECK_EQ(poller.wait(0, events), 0U);
  CHECK(!output.append({bytes("late")}));
  output.flush();
  CHECK(script.written.empty());
  back.reset();
  CHECK(script.destroyed);
}

TEST("output: what two threads append arrives whole, each one's in order") {
  Sending sending;
  const auto append_all = [&sending](int thread) {
    for (int i = 0; i < 20'000; ++i) {
      const Buffer record = bytes(thread, u16(static_cast<std::uint32_t>(i)), thread);
      if (sending.append(record)) sending.output.flush();
    }
  };
  std::thread other(append_all, 1);
  append_all(2);
  other.join();
  sending.output.flush();
  const Bytes written = sending.script.written;
  CHECK_EQ(written.size(), 2U * 20'000 * 4);
  std::uint16_t next[3] = {};
  for (std::size_t at = 0; at < written.size(); at += 4) {
    const std::uint8_t thread = written[at];
    CHECK(thread == 1 || thread == 2);
    CHECK_EQ(written[at + 3], thread);
    CHECK_EQ(read_u16(&written[at + 1]), next[thread]++);
  }
}

}  // namespace
}  // namespace aiomqtt::testing
