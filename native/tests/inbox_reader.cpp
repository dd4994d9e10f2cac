#include "tests/inbox_reader.h"

#include "tests/harness.h"

namespace aiomqtt::testing {

std::vector<Event> InboxReader::drain() {
  std::vector<Event> all;
  for (;;) {
    std::vector<Event> some = drain_once();
    if (some.empty()) return all;
    for (Event& event : some) {
      if (event.kind != event::kTopic) all.push_back(std::move(event));
    }
  }
}

std::vector<Event> InboxReader::drain_once() {
  // Not at the slab's beginning, so that offsets are seen to be moved along.
  constexpr std::size_t kOffset = 24;
  Inbox::Drained drained = inbox_.drain(slab_, kOffset, index_);
  RawBuffer lent;
  // More than once when a writer adds to it in between.
  while (drained.needed > 0) {
    CHECK(drained.needed > slab_.size() - kOffset);
    lent = inbox_.lend();
    if (lent.empty()) {
      slab_.resize(kOffset + drained.needed);
      drained = inbox_.drain(slab_, kOffset, index_);
    } else {
      CHECK_EQ(lent.size(), drained.needed);
      ++lent_;
      drained = inbox_.drain(lent, 0, index_);
      CHECK_EQ(drained.needed, 0U);
    }
  }
  const Bytes slab = lent.empty() ? Bytes(slab_) : Bytes(lent);
  std::vector<Event> events;
  for (std::size_t i = 0; i < drained.records; ++i) {
    Event event = event_at(index_.data() + i * record::kWords, slab);
    if (event.kind == event::kTopic) {
      CHECK(event.words[2] < TopicTable::kMostTopics);
      topics_[event.words[2]] = text_of(event.bytes);
    }
    events.push_back(std::move(event));
  }
  return events;
}

Event InboxReader::event_at(const std::uint32_t* words, Bytes slab) const {
  Event event;
  std::copy_n(words, record::kWords, event.words.begin());
  event.kind = words[0] & 0xff;
  event.flags = words[0] >> 8;
  event.connection = words[1];
  const bool is_message = event.kind == event::kMessage;
  const std::size_t size = is_message ? std::size_t{words[4]} + words[5] + words[6] : words[4];
  CHECK(words[3] + size <= slab.size());
  event.bytes = copy_of(Bytes(slab).subspan(words[3], size));
  if (!is_message) return event;
  const Bytes all = event.bytes;
  event.topic =
      words[2] == TopicTable::kInline ? text_of(all.first(words[4])) : topics_.at(words[2]);
  if (words[2] != TopicTable::kInline) CHECK_EQ(words[4], 0U);
  event.properties = copy_of(all.subspan(words[4], words[5]));
  event.payload = copy_of(all.subspan(words[4] + words[5], words[6]));
  return event;
}

}  // namespace aiomqtt::testing
