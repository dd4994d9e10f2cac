#include "engine/inbox.h"

#include <atomic>
#include <thread>

#include "tests/harness.h"
#include "tests/inbox_reader.h"

namespace aiomqtt::testing {
namespace {

// An inbox that counts its bell.
struct Counting {
  std::atomic<int> rings = 0;
  std::atomic<int> rooms = 0;
  Inbox inbox{[this] { ++rings; }, [this] { ++rooms; }};
  InboxReader reader{inbox};

  void write(std::uint32_t number, const Buffer& bytes = {}) {
    Inbox::Writer writer(inbox);
    append(writer, number, bytes);
  }
  static void append(Inbox::Writer& writer, std::uint32_t number, const Buffer& bytes = {}) {
    writer.append({event::kDone, 1, number, 0, static_cast<std::uint32_t>(bytes.size())}, bytes);
  }
};

TEST("inbox: records come out in order, with their words and their bytes") {
  Counting counting;
  {
    Inbox::Writer writer(counting.inbox);
    writer.append({event::kDone | 5U << 8, 7, 1, 99, 6, 5, 6, 7}, bytes("ab"), bytes("c"),
                  bytes("def"));
    writer.append({event::kTrace, 0, 2, 99, 0, 50, 60, 70});
    writer.append({event::kTrace, 0, 3, 99, 1, 51, 61, 71}, {}, {}, bytes("x"));
  }
  const std::vector<Event> events = counting.reader.drain();
  CHECK_EQ(events.size(), 3U);
  CHECK_EQ(events[0].kind, event::kDone);
  CHECK_EQ(events[0].flags, 5U);
  CHECK_EQ(events[0].connection, 7U);
  CHECK_EQ(text_of(events[0].bytes), "abcdef");
  CHECK_EQ(events[0].words[7], 7U);
  CHECK_EQ(events[1].words[2], 2U);
  CHECK_EQ(events[1].words[6], 60U);
  CHECK_EQ(text_of(events[2].bytes), "x");
}

TEST("inbox: a burst comes out in chunks, each with a limit of records and of bytes") {
  Counting counting;
  const Buffer thousand(1000, 'x');
  {
    Inbox::Writer writer(counting.inbox);
    for (std::uint32_t i = 0; i < 5000; ++i) Counting::append(writer, i);
    for (std::uint32_t i = 5000; i < 5200; ++i) Counting::append(writer, i, thousand);
  }
  std::uint32_t expected = 0;
  std::size_t chunks = 0;
  for (;;) {
    const std::vector<Event> events = counting.reader.drain_once();
    if (events.empty()) break;
    ++chunks;
    std::size_t size = 0;
    for (const Event& event : events) {
      CHECK_EQ(event.words[2], expected++);
      size += event.bytes.size();
    }
    CHECK(events.size() <= Inbox::kRecordsAChunk);
    CHECK(size <= Inbox::kBytesAChunk);
  }
  CHECK_EQ(expected, 5200U);
  CHECK(chunks >= 5000 / Inbox::kRecordsAChunk + 200'000 / Inbox::kBytesAChunk);
  CHECK(chunks <= 60);
}

TEST("inbox: events that do not fit say how much room they need, and stay") {
  Counting counting;
  const Buffer large(100'000, 'y');
  counting.write(1, bytes("first"));
  counting.write(2, large);
  counting.write(3);
  Buffer slab(4);
  std::vector<std::uint32_t> index(Inbox::kRecordsAChunk * record::kWords);
  for (int i = 0; i < 2; ++i) {
    const Inbox::Drained drained = counting.inbox.drain(slab, 0, index);
    CHECK_EQ(drained.records, 0U);
    CHECK_EQ(drained.needed, 5U);
  }
  const std::vector<Event> events = counting.reader.drain();
  CHECK_EQ(events.size(), 3U);
  CHECK_EQ(text_of(events[0].bytes), "first");
  CHECK_EQ(events[1].bytes, large);
  CHECK_EQ(events[2].words[2], 3U);
}

TEST("inbox: events that need no bytes fit into no room at all") {
  Counting counting;
  counting.write(1);
  Buffer slab(8);
  std::vector<std::uint32_t> index(Inbox::kRecordsAChunk * record::kWords);
  CHECK_EQ(counting.inbox.drain(slab, slab.size(), index).records, 1U);
  CHECK_EQ(index[3], slab.size());
}

TEST("inbox: what is large is lent as it is, from its place in a buffer that was handed in whole") {
  Counting counting;
  const Buffer large = patterned(1, Inbox::kLentFrom);
  RawBuffer whole;
  whole.append(bytes("head"));
  whole.append(large);
  const std::uint8_t* const at = whole.data();
  const auto size = static_cast<std::uint32_t>(large.size());
  {
    Inbox::Writer writer(counting.inbox);
    Counting::append(writer, 1, bytes("a"));
    writer.append_whole({event::kDone, 1, 2, 99, size}, std::move(whole), 4);
    Counting::append(writer, 3, bytes("b"));
    Counting::append(writer, 4, large);
  }
  CHECK(counting.inbox.lend().empty());  // the oldest chunk is small
  CHECK_EQ(text_of(counting.reader.drain_once().at(0).bytes), "a");
  {
    RawBuffer lent = counting.inbox.lend();
    CHECK(lent.data() == at);
    // What is written meanwhile goes elsewhere.
    counting.write(5, bytes("c"));
    std::vector<std::uint32_t> index(Inbox::kRecordsAChunk * record::kWords);
    CHECK_EQ(counting.inbox.drain(lent, 0, index).records, 1U);
    CHECK_EQ(index[2], 2U);
    CHECK_EQ(index[3], 4U);
  }
  const std::vector<Event> rest = counting.reader.drain();
  CHECK_EQ(rest.size(), 3U);
  CHECK_EQ(text_of(rest[0].bytes), "b");
  CHECK_EQ(rest[1].bytes, large);
  CHECK_EQ(text_of(rest[2].bytes), "c");
  CHECK_EQ(counting.reader.lent(), 1);
}

TEST("inbox: the doorbell rings once between two drains that found nothing") {
  Counting counting;
  CHECK(counting.reader.drain().empty());
  CHECK_EQ(counting.rings, 0);
  {
    const Inbox::Writer nothing(counting.inbox);
  }
  CHECK_EQ(counting.rings, 0);
  for (std::uint32_t i = 0; i < 3; ++i) counting.write(i);
  CHECK_EQ(counting.rings, 1);
  // Drained, but not yet seen to be empty: the drainer will come again by itself.
  CHECK_EQ(counting.reader.drain_once().size(), 3U);
  counting.write(4);
  CHECK_EQ(counting.rings, 1);
  CHECK_EQ(counting.reader.drain().size(), 1U);
  counting.write(5);
  CHECK_EQ(counting.rings, 2);
}

TEST("inbox: what is to be rung for later waits for ring()") {
  Counting counting;
  {
    Inbox::Writer writer(counting.inbox, Inbox::Ring::kLater);
    Counting::append(writer, 1);
  }
  CHECK_EQ(counting.rings, 0);
  counting.inbox.ring();
  counting.inbox.ring();
  CHECK_EQ(counting.rings, 1);
  CHECK_EQ(counting.reader.drain().size(), 1U);
  CHECK_EQ(counting.reader.drain().size(), 0U);
  counting.inbox.ring();
  CHECK_EQ(counting.rings, 1);
}

TEST("inbox: a closed one keeps and rings nothing, and drains nothing") {
  Counting counting;
  counting.write(1);
  counting.inbox.close();
  CHECK(counting.reader.drain().empty());
  counting.write(2, Buffer(Inbox::kFullAt));
  CHECK(counting.reader.drain().empty());
  CHECK_EQ(counting.rings, 1);
  CHECK(!counting.inbox.is_full());
}

TEST("inbox: it is full at 4 MiB, and says once that there is room below 1 MiB") {
  Counting counting;
  const Buffer piece(256 * 1024);
  std::uint32_t written = 0;
  while (!counting.inbox.is_full()) counting.write(++written, piece);
  CHECK(written == 15 || written == 16);
  CHECK_EQ(counting.rooms, 0);
  for (std::uint32_t left = written; left > 4; --left) {
    CHECK_EQ(counting.rooms, 0);
    CHECK(counting.inbox.is_full());
    CHECK_EQ(counting.reader.drain_once().size(), 1U);
  }
  CHECK_EQ(counting.reader.drain_once().size(), 1U);
  CHECK_EQ(counting.rooms, 1);
  CHECK(!counting.inbox.is_full());
  CHECK_EQ(counting.reader.drain().size(), 3U);
  CHECK_EQ(counting.rooms, 1);
  // One that was never asked whether it is full has nobody to tell.
  for (int i = 0; i < 20; ++i) counting.write(1, piece);
  CHECK_EQ(counting.reader.drain().size(), 20U);
  CHECK_EQ(counting.rooms, 1);
}

TEST("inbox: four threads write while one drains, and nothing is lost, doubled or out of order") {
  Counting counting;
  constexpr std::uint32_t kWriters = 4;
  static constexpr std::uint32_t kEach = 5'000;
  std::vector<std::thread> writers;
  for (std::uint32_t writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&counting, writer] {
      for (std::uint32_t i = 0; i < kEach;) {
        Inbox::Writer burst(counting.inbox);
        for (std::uint32_t end = std::min(kEach, i + 1 + i % 7); i < end; ++i) {
          burst.append({event::kDone, writer, i, 0, 4}, u32(i));
        }
      }
    });
  }
  std::uint32_t next[kWriters] = {};
  for (std::uint32_t left = kWriters * kEach; left > 0;) {
    for (const Event& event : counting.reader.drain()) {
      CHECK_EQ(event.words[2], next[event.connection]++);
      CHECK_EQ(event.bytes, u32(event.words[2]));
      --left;
    }
  }
  for (std::thread& writer : writers) writer.join();
}

TEST("inbox: topics are forgotten with the last connection, and not before") {
  Inbox inbox([] {}, [] {});
  const Buffer topic = bytes("topic");
  const auto look_up = [&](Inbox::Writer& writer) {
    TopicTable::Result result;
    CHECK(writer.topics().look_up(topic, [](Bytes) { return true; }, result));
    return result.found;
  };
  inbox.note_begun();
  inbox.note_begun();
  Inbox::Writer writer(inbox);
  CHECK_EQ(look_up(writer), TopicTable::Found::kInline);
  CHECK_EQ(look_up(writer), TopicTable::Found::kDefine);
  writer.note_ended();
  CHECK_EQ(look_up(writer), TopicTable::Found::kKnown);
  writer.note_ended();
  CHECK_EQ(look_up(writer), TopicTable::Found::kInline);
}

}  // namespace
}  // namespace aiomqtt::testing
