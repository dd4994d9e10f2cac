// Topics repeat: each that comes a second time is sent to JavaScript once and then named by a
// number. Numbers count up from 0; when all are given out, or the names take too many bytes, the
// table starts afresh, and numbers are defined anew from 0 on: JavaScript forgets them all with
// that, and what is used comes back. A topic that comes only once never enters, so a flood of such
// topics costs nothing.
//
// Guarded by the inbox that owns it: records that define and use a number keep their order.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/boundary.h"
#include "mqtt/wire.h"

namespace aiomqtt {

class TopicTable {
 public:
  // Numbers are below this.
  static constexpr std::uint32_t kMostTopics = topic::kLimit;
  // Bytes of all names together.
  static constexpr std::size_t kMostBytes = 4 * 1024 * 1024;
  static constexpr std::uint32_t kInline = topic::kInline;

  enum class Found : std::uint8_t { kKnown, kDefine, kInline };
  struct Result {
    Found found = Found::kInline;
    std::uint32_t number = kInline;
  };

  // kKnown: JavaScript has it. kDefine: tell it before using the number. kInline: send the bytes.
  // Only well-formed topics may enter: `is_valid` is asked of one that is not known. False: it is
  // not well-formed.
  template <typename IsValid>
  [[nodiscard]] bool look_up(Bytes topic, IsValid is_valid, Result& result) {
    const std::uint64_t hash = hash_of(topic);
    if (const std::uint32_t number = find(hash, topic); number != kInline) {
      result = {Found::kKnown, number};
      return true;
    }
    if (!is_valid(topic)) return false;
    result = was_seen(hash) ? Result{Found::kDefine, add(hash, topic)} : Result{};
    return true;
  }

  // Nothing is known any more.
  void clear() noexcept;

 private:
  struct Topic {
    std::uint64_t hash = 0;
    std::string name;
  };

  [[nodiscard]] std::uint32_t find(std::uint64_t hash, Bytes topic) const noexcept;
  // Whether the topic came before, not too long ago; remembers that it came.
  [[nodiscard]] bool was_seen(std::uint64_t hash) noexcept;
  std::uint32_t add(std::uint64_t hash, Bytes topic);
  void place(std::uint64_t hash, std::uint32_t number) noexcept;
  static std::uint64_t hash_of(Bytes topic) noexcept;

  std::vector<Topic> topics_;         // by number
  std::vector<std::uint32_t> slots_;  // open addressing, at most half full: number + 1, 0 is free
  std::size_t bytes_ = 0;             // of the names
  std::array<std::uint64_t, 4096> seen_{};
  std::uint32_t newcomers_ = 0;
};

}  // namespace aiomqtt
