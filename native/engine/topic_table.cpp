#include "engine/topic_table.h"

#include <bit>
#include <cstring>
#include <new>

namespace aiomqtt {
namespace {

constexpr std::size_t kFirstSlots = 256;
constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15;

bool equals(const std::string& name, Bytes topic) noexcept {
  return name.size() == topic.size() && std::memcmp(name.data(), topic.data(), topic.size()) == 0;
}

// The best mixed bits of a product are its highest.
std::size_t slot_of(std::uint64_t hash, std::size_t slots) noexcept {
  return hash >> (64 - std::countr_zero(slots));
}

}  // namespace

std::uint32_t TopicTable::find(std::uint64_t hash, Bytes topic) const noexcept {
  if (slots_.empty()) return kInline;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = slot_of(hash, slots_.size()); slots_[slot] != 0;
       slot = (slot + 1) & mask) {
    const std::uint32_t number = slots_[slot] - 1;
    if (topics_[number].hash == hash && equals(topics_[number].name, topic)) return number;
  }
  return kInline;
}

bool TopicTable::was_seen(std::uint64_t hash) noexcept {
  std::uint64_t& seen = seen_[slot_of(hash, seen_.size())];
  if (seen == hash) return true;
  // Every other newcomer only, or two topics that take turns in one place would never get in.
  if (seen == 0 || (++newcomers_ & 1) != 0) seen = hash;
  return false;
}

std::uint32_t TopicTable::add(std::uint64_t hash, Bytes topic) try {
  if (topics_.size() == kMostTopics || bytes_ + topic.size() > kMostBytes) {
    topics_.clear();
    slots_.assign(slots_.size(), 0);
    bytes_ = 0;
  }
  bytes_ += topic.size();
  const auto number = static_cast<std::uint32_t>(topics_.size());
  topics_.push_back({hash, {reinterpret_cast<const char*>(topic.data()), topic.size()}});
  if (topics_.size() * 2 > slots_.size()) {
    slots_.assign(slots_.empty() ? kFirstSlots : slots_.size() * 2, 0);
    for (std::uint32_t i = 0; i < topics_.size(); ++i) place(topics_[i].hash, i);
  } else {
    place(hash, number);
  }
  return number;
} catch (const std::bad_alloc&) {
  clear();
  throw;
}

void TopicTable::clear() noexcept {
  topics_ = {};
  slots_ = {};
  bytes_ = 0;
  seen_ = {};
}

void TopicTable::place(std::uint64_t hash, std::uint32_t number) noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = slot_of(hash, slots_.size());
  while (slots_[slot] != 0) slot = (slot + 1) & mask;
  slots_[slot] = number + 1;
}

// Eight bytes a step, multiplied and folded: topics are short and this runs once a message.
std::uint64_t TopicTable::hash_of(Bytes topic) noexcept {
  std::uint64_t hash = topic.size();
  const auto mix = [&hash](std::uint64_t word) {
    hash = (hash ^ word) * kMultiplier;
    hash ^= hash >> 29;
  };
  const std::uint8_t* at = topic.data();
  std::size_t left = topic.size();
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    mix(word);
  }
  std::uint64_t word = 0;
  if (left > 0) std::memcpy(&word, at, left);
  mix(word);
  return hash * kMultiplier;
}

}  // namespace aiomqtt
