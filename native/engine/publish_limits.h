// What holds back the publishes of one connection besides its stream: the in-flight window, and
// what the broker said of them in CONNACK.
//
// Any thread; all of it is atomic. The API thread takes places in the window, the I/O thread lowers
// it, before anything is published, and gives places back. Places and waiting ones are sequentially
// consistent: whoever keeps a publish looks at the window once more, and whoever gives a place back
// then looks for one that waits, so that one of the two sees it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "engine/boundary.h"

namespace aiomqtt {

class PublishLimits {
 public:
  explicit PublishLimits(std::uint16_t window) noexcept
      : window_(std::min<std::uint32_t>(window, window::kLimit)) {}

  // I/O thread: the broker takes so many at once.
  void set_receive_maximum(std::uint16_t most) noexcept {
    receive_maximum_ = std::min<std::uint32_t>(most, window::kLimit);
  }
  // I/O thread: what the broker said of topic aliases, and of the size of packets (0: no limit).
  void allow_aliases(std::uint16_t most, std::uint32_t maximum_packet_size) noexcept {
    if (maximum_packet_size != 0) maximum_packet_size_ = maximum_packet_size;
    topic_aliases_ = most;
  }

  void take_place() noexcept { ++inflight_; }
  // One that was not sent after all.
  void give_back_place() noexcept { --inflight_; }
  // Nobody waits any longer for one that is under way: its place in our own window is free, that in
  // the broker's Receive Maximum is not (MQTT 5 section 4.9).
  void abandon_place() noexcept { ++abandoned_; }
  // A QoS 1 or 2 publish is over. True if one waits for its place.
  [[nodiscard]] bool release_place(bool abandoned) noexcept {
    if (abandoned) --abandoned_;
    return inflight_.fetch_sub(1) > 0 && waiting_.load() > 0;
  }
  [[nodiscard]] bool window_is_full() const noexcept {
    const std::uint32_t inflight = inflight_.load();
    return inflight >= receive_maximum_.load() || inflight - abandoned_.load() >= window_;
  }

  void note_waiting() noexcept { ++waiting_; }
  void note_taken() noexcept { --waiting_; }
  void forget_waiting() noexcept { waiting_ = 0; }
  // Something waits for the stream or for the window.
  [[nodiscard]] bool is_waiting() const noexcept { return waiting_.load() > 0; }

  [[nodiscard]] std::uint16_t topic_aliases() const noexcept {
    return topic_aliases_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint32_t maximum_packet_size() const noexcept {
    return maximum_packet_size_.load(std::memory_order_relaxed);
  }

 private:
  const std::uint32_t window_;
  std::atomic<std::uint32_t> receive_maximum_{window::kLimit};
  std::atomic<std::uint32_t> inflight_{0};
  std::atomic<std::uint32_t> abandoned_{0};
  std::atomic<std::uint32_t> waiting_{0};
  std::atomic<std::uint16_t> topic_aliases_{0};
  std::atomic<std::uint32_t> maximum_packet_size_{UINT32_MAX};
};

}  // namespace aiomqtt
