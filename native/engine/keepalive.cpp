#include "engine/keepalive.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "mqtt/wire.h"

namespace aiomqtt {

std::int64_t Keepalive::margin() const noexcept {
  return std::clamp<std::int64_t>(interval_ / 16, 100, 1000);
}

// Half a keepalive, as the server grants us.
std::int64_t Keepalive::grace() const noexcept {
  return std::max<std::int64_t>(interval_ / 2, 1000);
}

// Once the peer's system has PINGREQ, what was sent before it may still be on its way to the
// broker, and nothing tells how much: a slow link is taken for granted, and that no more is under
// way than systems keep.
std::int64_t Keepalive::patience() const noexcept {
  constexpr std::int64_t kSlowest = 64 * 1024 / 1000;  // bytes in a millisecond
  constexpr std::int64_t kMostUnderWay = 8 * 1024 * 1024;
  if (taken_ < ends_at_) return grace();
  return grace() + std::clamp<std::int64_t>(ends_at_ - heard_, 0, kMostUnderWay) / kSlowest;
}

std::int64_t Keepalive::taken() const noexcept {
  const Stream* const stream = output_.stream();
  if (stream == nullptr) return 0;
  return static_cast<std::int64_t>(output_.total_sent()) -
         static_cast<std::int64_t>(unsent_bytes(stream->descriptor()));
}

void Keepalive::note_answered() noexcept {
  if (asked_) meter_.note_answered();
  asked_ = false;
}

bool Keepalive::look(std::int64_t now, bool reading_paused) {
  if (interval_ == 0) return true;
  if (!asked_) {
    if (now >= next_look() - slack()) ask(now);
    return true;
  }
  observe(now);
  if (now - alive_at_ >= patience() && !must_wait(now, reading_paused)) return false;
  // The broker must hear of us, whatever we hear of it.
  if (asked_ && output_.empty() && now >= spoken_at() + interval_ - margin() - slack()) ping(now);
  return true;
}

std::int64_t Keepalive::next_look() const noexcept {
  if (interval_ == 0) return std::numeric_limits<std::int64_t>::max();
  if (asked_) {
    const std::int64_t next = std::min(observed_at_ + grace() / 4, alive_at_ + patience());
    return output_.empty() ? std::min(next, spoken_at() + interval_ - margin()) : next;
  }
  // A broker that is only spoken to is asked as well.
  return std::min(output_.last_sent(), last_received_) + interval_ - margin();
}

void Keepalive::ask(std::int64_t now) {
  const Stream* const stream = output_.stream();
  if (stream == nullptr) return;
  asked_ = true;
  has_called_ = false;
  unread_ = unread_bytes(stream->descriptor());
  room_ = peer_window(stream->descriptor());
  ping(now);
  taken_ = taken();
  ends_at_ = static_cast<std::int64_t>(output_.total_appended());
  has_left_ = output_.empty();
  was_congested_ = !has_left_;
  alive_at_ = observed_at_ = now;
}

void Keepalive::ping(std::int64_t now) {
  meter_.note_asked();
  const std::uint8_t pingreq[] = {packet::kPingreq << 4, 0};
  if (output_.reply(pingreq)) output_.flush();
  pinged_at_ = now;
}

void Keepalive::observe(std::int64_t now) noexcept {
  const std::int64_t before = taken_;
  const std::int64_t sent = static_cast<std::int64_t>(output_.total_sent());
  taken_ = taken();
  // Nothing was under way, so that a peer that has more room than before has read.
  const std::uint32_t room = std::exchange(room_, peer_window(output_.stream()->descriptor()));
  if (before == sent && room_ > room) alive_at_ = now;
  const bool is_behind = before < ends_at_;
  // What is taken after PINGREQ was shows life only if it had to wait for room: the kernel of a
  // broker that hangs takes some.
  if (taken_ > before && (is_behind || was_congested_)) alive_at_ = now;
  if (!has_left_ && sent >= ends_at_) {
    has_left_ = true;
    alive_at_ = std::max(alive_at_, output_.last_sent());
  }
  was_congested_ = !output_.empty();
  alive_at_ = std::max(alive_at_, last_received_);
  if (has_called_ && javascript_->visits() == visits_) alive_at_ = now;
  observed_at_ = now;
}

bool Keepalive::must_wait(std::int64_t now, bool reading_paused) {
  const Stream* const stream = output_.stream();
  if (stream == nullptr) return true;
  const std::size_t unread = unread_bytes(stream->descriptor());
  if (!reading_paused) {
    // The answer may be there: it is read first.
    if (unread > 0 || stream->has_more()) {
      alive_at_ = now;
      return true;
    }
  } else if (unread > unread_ || (!can_receive(stream->descriptor()) && taken_ >= ends_at_)) {
    // It has come, or the peer has the question, and cannot send what comes before the answer.
    last_received_ = now;
    note_answered();
    return true;
  }
  // JavaScript may have held up question or answer: it is asked to come by, and the broker again.
  if (javascript_ == nullptr || has_called_) return false;
  has_called_ = true;
  visits_ = javascript_->visits();
  javascript_->call();
  ping(now);
  alive_at_ = now;
  return true;
}

}  // namespace aiomqtt
