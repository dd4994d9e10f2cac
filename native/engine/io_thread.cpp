#include "engine/io_thread.h"

#include <algorithm>
#include <new>
#include <thread>
#include <utility>

#include "engine/clock.h"
#include "platform/memory_reserve.h"

namespace aiomqtt {

void IoThread::watch(std::shared_ptr<Lane> lane) {
  {
    const std::lock_guard lock(mutex_);
    new_.push_back(std::move(lane));
  }
  poller_.wake();
}

std::uint32_t IoThread::next() noexcept {
  for (;;) {
    try {
      return next_packet();
    } catch (const std::bad_alloc&) {
      // What was to be noted for later is done at once.
      if (working_ && !turn_.owns_lock()) turn_ = working_->take_turn();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

std::uint32_t IoThread::next_packet() {
  if (paho_reads_now_.owns_lock()) {
    Reading& reading = working_->reading();
    if (reading.note_handed_over()) return reading.connection()->number();
    paho_reads_now_.unlock();
  }
  for (;;) {
    gate_.park_if_exiting();
    if (working_) {
      const Lane::Worked worked = working_->work(kLooks, std::exchange(timeout_ms_, 0));
      if (worked == Lane::Worked::kForPaho) {
        paho_reads_now_.lock();
        return working_->reading().connection()->number();
      }
      turn_.unlock();
      if (worked == Lane::Worked::kShort) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (worked != Lane::Worked::kAll) ready_.push_back(working_);
      working_.reset();
    }
    if (ready_.empty()) {
      renew();
      const Clock::time_point until = see_to_lanes();
      if (ready_.empty()) sleep(until);
      continue;
    }
    working_ = std::move(ready_.front());
    ready_.pop_front();
    turn_ = working_->take_turn();
  }
}

void IoThread::renew() {
  if (adding_.empty()) {
    const std::lock_guard lock(mutex_);
    adding_.swap(new_);
  }
  for (; !adding_.empty(); adding_.pop_back()) {
    Lane& lane = *adding_.back();
    const std::uint32_t key = last_key_ + 1;
    watched_.emplace(key, Watched{adding_.back()});
    last_key_ = key;
    if (Poller::kNests) poller_.add(lane.poller().descriptor(), {key, 0}, Poller::kReadable);
  }
  std::erase_if(watched_, [this](const auto& entry) {
    if (!entry.second.lane->is_over()) return false;
    poller_.remove(entry.second.lane->poller().descriptor());
    return true;
  });
}

IoThread::Clock::time_point IoThread::see_to_lanes() {
  const Clock::time_point now = Clock::now();
  const bool is_short = MemoryReserve::is_spent();
  const bool relieves = is_short && now >= relieve_at_;
  if (relieves) relieve_at_ = now + kRelief;
  auto until = is_short ? relieve_at_ : Clock::time_point::max();
  for (auto& [key, watched] : watched_) {
    see_to(key, watched, now);
    const Clock::time_point due = watched.lane->due();
    if (now >= due || relieves) ready_.push_back(watched.lane);
    until = std::min({until, watched.look_at, due});
  }
  return until;
}

void IoThread::see_to(std::uint32_t key, Watched& watched, Clock::time_point now) {
  Lane& lane = *watched.lane;
  if (!lane.is_led_by_loop()) {
    watched.look_at = Clock::time_point::max();
    arm(key, watched, true);
    return;
  }
  if (now < watched.look_at) return;
  if (const std::uint64_t turns = lane.turns_of_loop(); turns != watched.turns) {
    watched.turns = turns;
    watched.look_at = now + kPatience;
    return;
  }
  watched.look_at = Clock::time_point::max();
  if (lane.poller().has_events()) lane.take_the_lead();
  arm(key, watched, true);
}

void IoThread::arm(std::uint32_t key, Watched& watched, bool armed) noexcept {
  if (watched.is_armed == armed) return;
  watched.is_armed = armed;
  poller_.change(watched.lane->poller().descriptor(), {key, 0}, armed ? Poller::kReadable : 0);
}

void IoThread::sleep(Clock::time_point until) {
  if (!Poller::kNests && !watched_.empty()) {
    // The lane itself waits.
    ready_.push_back(watched_.begin()->second.lane);
    timeout_ms_ = milliseconds_until(until);
    return;
  }
  // Either what has become due meanwhile is seen here, or who made it so sees that this thread
  // sleeps (Lane::work()).
  sleeps_until_ = until;
  const bool is_early = std::any_of(watched_.begin(), watched_.end(), [until](const auto& entry) {
    return entry.second.lane->due() < until;
  });
  const std::size_t count = poller_.wait(is_early ? 0 : milliseconds_until(until), events_);
  sleeps_until_ = Clock::time_point::min();
  for (std::size_t i = 0; i < count; ++i) on_event(events_[i].token.connection);
}

void IoThread::on_event(std::uint32_t key) {
  const auto found = watched_.find(key);
  if (found == watched_.end()) return;
  Watched& watched = found->second;
  if (!watched.lane->is_led_by_loop()) {
    ready_.push_back(watched.lane);
    return;
  }
  // Its loop has heard of it as well.
  arm(key, watched, false);
  watched.turns = watched.lane->turns_of_loop();
  watched.look_at = Clock::now() + kPatience;
}

}  // namespace aiomqtt
