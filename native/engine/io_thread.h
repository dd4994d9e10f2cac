// The thread that reads: Paho's own receive thread, whose wait for a ready socket is next(). It
// works on the lanes that nobody else leads, watches over those that an event loop leads, and hands
// Paho the packets that are Paho's, one at a time.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/exit_gate.h"
#include "engine/lane.h"
#include "platform/poller.h"

namespace aiomqtt {

class IoThread {
 public:
  using Clock = std::chrono::steady_clock;

  explicit IoThread(ExitGate& gate) noexcept : gate_(gate) {}

  // -- any thread --
  // Before it starts. 0, or an errno: there is no descriptor for it, and another call tries again.
  [[nodiscard]] int open() noexcept { return poller_.open(); }
  // Works on this lane as well, until it is over.
  void watch(std::shared_ptr<Lane> lane);
  // Ends the current or the next wait: a lane is to be led, or worked on.
  void wake() noexcept { poller_.wake(); }
  // Until when it sleeps at most; long ago while it does not.
  [[nodiscard]] Clock::time_point sleeps_until() const noexcept { return sleeps_until_; }
  // While it is held Paho is not in the middle of a packet. A handle that is destroyed just then
  // leaks the packet. Taken before Paho's own lock.
  [[nodiscard]] std::unique_lock<std::mutex> hold_off_paho() {
    return std::unique_lock(paho_reads_);
  }

  // -- I/O thread, by way of Paho (paho/hooks.h) --
  // Waits until a packet is there for Paho; returns its connection's number.
  [[nodiscard]] std::uint32_t next() noexcept;
  // The packet that next() returned for: see Reading.
  [[nodiscard]] const std::uint8_t* take_for_paho(std::uint32_t connection,
                                                  std::size_t size) noexcept {
    return working_ ? working_->reading().take_for_paho(connection, size) : nullptr;
  }
  void note_unflushed(std::shared_ptr<Connection> connection) {
    if (working_) working_->reading().note_unflushed(std::move(connection));
  }

 private:
  // A lane, and how this thread hears of it.
  struct Watched {
    std::shared_ptr<Lane> lane;
    // What happens there wakes this thread.
    bool is_armed = true;
    // Something has happened while its loop leads: when to see whether the loop has turned.
    Clock::time_point look_at = Clock::time_point::max();
    std::uint64_t turns = 0;
  };

  // How long a loop may leave lying what has come.
  static constexpr std::chrono::milliseconds kPatience{20};
  // Looks at one lane before the others have theirs.
  static constexpr unsigned kLooks = 8;
  static constexpr std::size_t kEventsAtOnce = 32;
  // How long it takes until another look is worth it whether there is memory again.
  static constexpr std::chrono::milliseconds kRelief{10};

  [[nodiscard]] std::uint32_t next_packet();
  // Takes up new lanes and lets go of those that are over.
  void renew();
  // What is due, or was left by its loop, becomes ready. Returns when to see again.
  [[nodiscard]] Clock::time_point see_to_lanes();
  void see_to(std::uint32_t key, Watched& watched, Clock::time_point now);
  void arm(std::uint32_t key, Watched& watched, bool armed) noexcept;
  void sleep(Clock::time_point until);
  void on_event(std::uint32_t key);

  ExitGate& gate_;
  Poller poller_;
  std::mutex paho_reads_;
  std::atomic<Clock::time_point> sleeps_until_{Clock::time_point::min()};
  // Any thread, under the lock; it is held while nothing else is called.
  std::mutex mutex_;
  std::vector<std::shared_ptr<Lane>> new_;

  // I/O thread only.
  std::unordered_map<std::uint32_t, Watched> watched_;
  std::vector<std::shared_ptr<Lane>> adding_;  // what was new_
  Clock::time_point relieve_at_{};
  std::uint32_t last_key_ = 0;
  std::deque<std::shared_ptr<Lane>> ready_;
  std::shared_ptr<Lane> working_;
  std::unique_lock<std::mutex> turn_;  // of working_
  std::unique_lock<std::mutex> paho_reads_now_{paho_reads_, std::defer_lock};
  int timeout_ms_ = 0;  // for the first look at the next lane
  std::array<Poller::Event, kEventsAtOnce> events_{};
};

}  // namespace aiomqtt
