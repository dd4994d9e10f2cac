// Outbound topic aliases of one connection (MQTT 5 section 3.3.2.3.4): which number stands for
// which topic at the broker. When all numbers are taken, the topic that was used the longest time
// ago gives its own away. API thread only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mqtt/wire.h"

namespace aiomqtt {

class TopicAliases {
 public:
  // A property with an alias: its identifier and the number.
  static constexpr std::size_t kPropertySize = 3;

  // What to send in place of a topic.
  struct Choice {
    std::uint16_t alias = 0;  // 0: the topic alone
    bool is_known = false;    // the broker knows what it stands for
  };

  // As many as JavaScript asks for at most.
  explicit TopicAliases(std::uint16_t wanted) noexcept : wanted_(wanted) {}

  // The broker's Topic Alias Maximum.
  void allow(std::uint16_t most) noexcept { most_ = most < wanted_ ? most : wanted_; }
  [[nodiscard]] bool is_empty() const noexcept { return most_ == 0; }

  // `may_assign`: whether there is room for a topic and a new alias together.
  [[nodiscard]] Choice choose(std::string_view topic, bool may_assign);
  // The publish that choose() was called for last was not sent, so that a new alias is not known.
  void take_back();

 private:
  struct Entry {
    std::string topic;
    std::size_t newer = 0;
    std::size_t older = 0;
  };

  void unlink(std::size_t entry) noexcept;
  void link_newest(std::size_t entry) noexcept;

  const std::uint16_t wanted_;
  std::uint16_t most_ = 0;
  // An alias is its entry's index. Entry 0 is where the ring of all entries begins and ends: newer
  // than it is the oldest, older than it the newest one.
  std::vector<Entry> entries_ = std::vector<Entry>(1);
  std::unordered_map<std::string_view, std::uint16_t> by_topic_;
};

}  // namespace aiomqtt
