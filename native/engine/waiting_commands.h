// Commands that wait for their turn, first in, first out. Any of them can be withdrawn at the cost
// of one look-up, however many others wait: a caller that gives up a hundred thousand calls must
// not hold up the other clients of the process. API thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "mqtt/raw_buffer.h"

namespace aiomqtt {

class WaitingCommands {
 public:
  struct Waiting {
    std::uint32_t operation = 0;  // 0: withdrawn
    std::vector<std::uint8_t> bytes;
    SharedBuffer payload;

    [[nodiscard]] std::size_t size() const noexcept {
      return bytes.size() + (payload ? payload->size() : 0);
    }
  };

  [[nodiscard]] bool empty() const noexcept { return queue_.empty(); }

  // An operation, which has a number above 0, waits at most once.
  void put(std::uint32_t operation, std::span<const std::uint8_t> bytes,
           const SharedBuffer& payload) {
    if (operation >= places_.size()) places_.resize(std::size_t{operation} + 1);
    places_[operation] = first_place_ + queue_.size();
    queue_.push_back({operation, {bytes.begin(), bytes.end()}, payload});
  }

  // The oldest; there must be one.
  [[nodiscard]] Waiting take() {
    Waiting waiting = std::move(queue_.front());
    drop_front();
    trim();
    return waiting;
  }

  // False: it does not wait here.
  [[nodiscard]] bool withdraw(std::uint32_t operation) {
    if (operation == 0 || operation >= places_.size()) return false;
    // A place that is before the first wraps round, and is none either.
    const std::uint64_t at = places_[operation] - first_place_;
    if (at >= queue_.size() || queue_[at].operation != operation) return false;
    queue_[at] = {};
    ++withdrawn_;
    trim();
    if (withdrawn_ > kGapsKept && withdrawn_ * 2 > queue_.size()) close_gaps();
    return true;
  }

  void clear() noexcept {
    queue_.clear();
    places_.clear();
    withdrawn_ = 0;
  }

 private:
  static constexpr std::size_t kGapsKept = 64;
  static constexpr std::size_t kPlacesKept = 4096;

  void drop_front() {
    queue_.pop_front();
    ++first_place_;
  }

  // Neither end is a gap: what is not empty has something to take.
  void trim() {
    for (; !queue_.empty() && queue_.front().operation == 0; --withdrawn_) drop_front();
    for (; !queue_.empty() && queue_.back().operation == 0; --withdrawn_) queue_.pop_back();
    if (queue_.empty() && places_.size() > kPlacesKept) places_ = {};
  }

  // At most half are gaps, so that they cost no more memory than what waits.
  void close_gaps() {
    std::deque<Waiting> all;
    for (Waiting& waiting : queue_) {
      if (waiting.operation == 0) continue;
      places_[waiting.operation] = first_place_ + all.size();
      all.push_back(std::move(waiting));
    }
    queue_ = std::move(all);
    withdrawn_ = 0;
  }

  std::deque<Waiting> queue_;
  // How many have left by the front: the place of the first one.
  std::uint64_t first_place_ = 0;
  // By operation.
  std::vector<std::uint64_t> places_;
  std::size_t withdrawn_ = 0;  // gaps in the queue
};

}  // namespace aiomqtt
