#include "engine/topic_table.h"

#include <cstring>

namespace aiomqtt {

bool TopicTable::equals(const std::string& known, Bytes topic) noexcept {
  return known.size() == topic.size() && std::memcmp(known.data(), topic.data(), topic.size()) == 0;
}

// Eight bytes a step, multiplied and folded: topics are short and this runs once a message.
std::uint64_t TopicTable::hash_of(Bytes topic) noexcept {
  constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15;
  std::uint64_t hash = topic.size() * kMultiplier;
  const auto mix = [&hash](std::uint64_t word) {
    hash = (hash ^ word) * kMultiplier;
    hash ^= hash >> 32;
  };
  const std::uint8_t* at = topic.data();
  std::size_t left = topic.size();
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    mix(word);
  }
  if (left > 0) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, left);
    mix(word);
  }
  return hash;
}

}  // namespace aiomqtt
