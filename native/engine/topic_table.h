// Topics repeat: each is sent to JavaScript once and then named by a number. A fixed table of 4,096
// slots, the slot being the topic's number; a slot is given to another topic when that one comes
// twice while its slot is taken, so that a flood of topics seen once does not wash the table out.
//
// Guarded by the inbox that owns it: records that define and use a number keep their order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/wire.h"

namespace aiomqtt {

class TopicTable {
 public:
  static constexpr std::uint32_t kSlots = 4096;
  static constexpr std::uint32_t kInline = 0xffffffff;

  enum class Found : std::uint8_t { kKnown, kDefine, kInline };
  struct Result {
    Found found = Found::kInline;
    std::uint32_t number = kInline;
  };

  // kKnown: JavaScript has it. kDefine: tell it before using the number. kInline: send the bytes.
  // Only well-formed topics may enter: `is_valid` is asked before one does, and before kInline.
  template <typename IsValid>
  bool look_up(Bytes topic, IsValid is_valid, Result& result) {
    if (slots_.empty()) slots_.resize(kSlots);
    const std::uint64_t hash = hash_of(topic);
    Slot& slot = slots_[hash % kSlots];
    if (slot.hash == hash && equals(slot.topic, topic)) {
      result = {Found::kKnown, static_cast<std::uint32_t>(hash % kSlots)};
      return true;
    }
    if (!is_valid(topic)) return false;
    if (slot.topic.empty() || slot.challenger == hash) {
      slot.hash = hash;
      slot.challenger = 0;
      slot.topic.assign(reinterpret_cast<const char*>(topic.data()), topic.size());
      result = {Found::kDefine, static_cast<std::uint32_t>(hash % kSlots)};
      return true;
    }
    slot.challenger = hash;
    result = {};
    return true;
  }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint64_t challenger = 0;
    std::string topic;
  };

  static bool equals(const std::string& known, Bytes topic) noexcept;
  static std::uint64_t hash_of(Bytes topic) noexcept;

  std::vector<Slot> slots_;
};

}  // namespace aiomqtt
