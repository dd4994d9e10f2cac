// Drains an inbox as JavaScript does, and turns its records into values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/inbox.h"
#include "tests/bytes.h"

namespace aiomqtt::testing {

// One record with its bytes; `topic`, `properties` and `payload` are a message's.
struct Event {
  std::uint32_t kind = 0;
  std::uint32_t flags = 0;
  std::uint32_t connection = 0;
  Record words{};
  Buffer bytes;
  std::string topic;
  Buffer properties;
  Buffer payload;

  [[nodiscard]] int qos() const { return static_cast<int>(flags & 3); }
  [[nodiscard]] bool retain() const { return (flags & 4) != 0; }
  [[nodiscard]] bool dup() const { return (flags & 8) != 0; }
};

class InboxReader {
 public:
  explicit InboxReader(Inbox& inbox) : inbox_(inbox) {}

  // Everything that waits. TOPIC records are kept and checked, and not among the results.
  std::vector<Event> drain();
  // One call of drain(), the slab as large as needed: its events, none when nothing waits.
  std::vector<Event> drain_once();
  // How many slabs were lent by the inbox, and not copied to one.
  [[nodiscard]] int lent() const { return lent_; }

 private:
  Event event_at(const std::uint32_t* words, Bytes slab) const;

  Inbox& inbox_;
  Buffer slab_ = Buffer(1024);
  std::vector<std::uint32_t> index_ =
      std::vector<std::uint32_t>(Inbox::kRecordsAChunk * record::kWords);
  std::map<std::uint32_t, std::string> topics_;
  int lent_ = 0;
};

}  // namespace aiomqtt::testing
