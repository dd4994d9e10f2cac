// When the broker must hear of us, and whether it lives (MQTT 5 section 3.1.2.10), judged on
// evidence: what arrives, what waits to be read, and bytes of ours that the peer takes while
// PINGREQ is behind them. What only our own side has held up is no evidence against it.
//
// I/O thread only.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/inbox.h"
#include "engine/output.h"
#include "engine/traffic.h"

namespace aiomqtt {

class Keepalive {
 public:
  // `javascript`: null unless JavaScript passes on the bytes, so that it may be what is silent.
  Keepalive(Output& output, TrafficMeter& meter, Inbox* javascript, int seconds) noexcept
      : output_(output), meter_(meter), javascript_(javascript) {
    set_interval(seconds);
  }

  // 0: there is none.
  void set_interval(int seconds) noexcept { interval_ = std::int64_t{seconds} * 1000; }
  [[nodiscard]] std::int64_t interval() const noexcept { return interval_; }

  void note_received(std::int64_t now) noexcept {
    last_received_ = now;
    heard_ = static_cast<std::int64_t>(output_.total_sent());
  }
  // PINGRESP came.
  void note_answered() noexcept;
  // This thread did not run for so long: nothing could be seen meanwhile.
  void note_absence(std::int64_t milliseconds) noexcept { alive_at_ += milliseconds; }

  // Sends PINGREQ when it is time. False: the broker has been silent for too long.
  [[nodiscard]] bool look(std::int64_t now, bool reading_paused);
  // When to look again at the latest; INT64_MAX for never.
  [[nodiscard]] std::int64_t next_look() const noexcept;

 private:
  // PINGREQ leaves so much earlier than it must, so that it is never late.
  [[nodiscard]] std::int64_t margin() const noexcept;
  // So much earlier still, so that those of many connections leave at one look.
  [[nodiscard]] std::int64_t slack() const noexcept { return margin() / 2; }
  // How long the answer may take, and how long nothing may be seen.
  [[nodiscard]] std::int64_t grace() const noexcept;
  [[nodiscard]] std::int64_t patience() const noexcept;

  void ask(std::int64_t now);
  void ping(std::int64_t now);
  void observe(std::int64_t now) noexcept;
  // Nothing was seen for too long: whether there is a reason to wait on.
  [[nodiscard]] bool must_wait(std::int64_t now, bool reading_paused);
  // When the broker was to hear of us last.
  [[nodiscard]] std::int64_t spoken_at() const noexcept {
    return std::max(pinged_at_, output_.last_sent());
  }
  // Bytes of ours that the peer has taken, as far as the system tells.
  [[nodiscard]] std::int64_t taken() const noexcept;

  Output& output_;
  TrafficMeter& meter_;
  Inbox* const javascript_;
  std::int64_t interval_ = 0;
  std::int64_t last_received_ = 0;
  std::int64_t heard_ = 0;  // bytes that had left by then

  // While PINGREQ is not answered:
  bool asked_ = false;
  std::int64_t pinged_at_ = 0;  // the last one
  std::int64_t alive_at_ = 0;   // when there was evidence last
  std::int64_t observed_at_ = 0;
  std::int64_t ends_at_ = 0;    // where the first one ends in all that was ever sent
  bool has_left_ = false;       // it has
  std::int64_t taken_ = 0;      // bytes that the peer had taken
  bool was_congested_ = false;  // bytes of ours waited for room in the socket
  std::uint32_t room_ = 0;      // that the peer had for more
  std::size_t unread_ = 0;      // bytes that waited to be read
  bool has_called_ = false;     // JavaScript, which had come by so often before
  std::uint64_t visits_ = 0;
};

}  // namespace aiomqtt
