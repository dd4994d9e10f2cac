// When to wait before looking again, so that messages come together and are dealt with at once, as
// network cards do: only while they come faster than the wait is long, and never while something
// of ours may be answered.
//
// Guarded by its lane's turn, but for what is said to be for any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>

namespace aiomqtt {

class Pace {
 public:
  using Clock = std::chrono::steady_clock;

  // The most that a message may be held back; 0: nothing is.
  void set_latency(std::chrono::milliseconds most) noexcept { latency_ = most; }

  // Any thread: something was sent that may be answered.
  void note_asked(Clock::time_point now) noexcept {
    asked_at_.store(now, std::memory_order_relaxed);
  }

  // Any thread: whether that was a moment ago.
  [[nodiscard]] bool may_be_answered(Clock::time_point now) const noexcept {
    return now - asked_at_.load(std::memory_order_relaxed) < kAnswered;
  }

  // A look at `now` found so many packets. How many milliseconds to wait before the next one; 0: it
  // comes when something has arrived.
  [[nodiscard]] int note_look(Clock::time_point now, std::size_t packets) noexcept {
    const bool is_close = now - last_look_ <= latency_ + kSlack;
    last_look_ = now;
    if (packets == 0 || !is_close || may_be_answered(now) || latency_.count() == 0) {
      in_a_row_ = 0;
      return 0;
    }
    if (in_a_row_ < kInARow) ++in_a_row_;
    return in_a_row_ < kInARow ? 0 : static_cast<int>(latency_.count());
  }

 private:
  // So many looks, each within the wait after the one before, are a pace and no coincidence.
  static constexpr unsigned kInARow = 4;
  // A wait lasts a little longer than it should.
  static constexpr std::chrono::microseconds kSlack{300};
  // An answer is expected for so long.
  static constexpr std::chrono::milliseconds kAnswered{20};

  std::chrono::milliseconds latency_{0};
  std::atomic<Clock::time_point> asked_at_{Clock::time_point{} - std::chrono::hours(1)};
  Clock::time_point last_look_{};
  unsigned in_a_row_ = 0;
};

}  // namespace aiomqtt
