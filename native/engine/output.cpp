#include "engine/output.h"

#include <algorithm>

#include "engine/clock.h"

namespace aiomqtt {

void Output::attach(std::unique_ptr<Stream> stream) {
  const std::lock_guard lock(mutex_);
  stream_ = std::move(stream);
  last_sent_ = now_ms();
  poll_locked();
}

std::unique_ptr<Stream> Output::detach() {
  const std::lock_guard lock(mutex_);
  if (stream_ && polled_) poller_.remove(stream_->descriptor());
  forget_locked();
  return std::move(stream_);
}

bool Output::append(std::initializer_list<Bytes> parts) {
  const std::lock_guard lock(mutex_);
  return append_locked(parts);
}

bool Output::append(std::initializer_list<Bytes> parts, SharedBuffer last,
                    std::uint32_t departing) {
  const std::lock_guard lock(mutex_);
  return append_locked(parts, std::move(last), departing);
}

bool Output::has_departed() const noexcept {
  const std::lock_guard lock(mutex_);
  return !departures_.empty() && departures_.front().at <= left_locked();
}

std::vector<std::uint32_t> Output::take_departed() {
  const std::lock_guard lock(mutex_);
  const auto end = std::find_if(
      departures_.begin(), departures_.end(),
      [left = left_locked()](const Departure& departure) { return departure.at > left; });
  std::vector<std::uint32_t> departed;
  departed.reserve(static_cast<std::size_t>(end - departures_.begin()));
  for (auto at = departures_.begin(); at != end; ++at) departed.push_back(at->operation);
  departures_.erase(departures_.begin(), end);
  return departed;
}

bool Output::reply(Bytes bytes) {
  const std::lock_guard lock(mutex_);
  if (replies_ended_ || !stream_ || error() != 0) return false;
  buffer_.make_room(bytes.size());
  note_replies_locked(bytes.size());
  return append_locked({bytes});
}

void Output::note_replies_locked(std::size_t count) {
  if (replies_.empty() || replies_.back().to != appended_)
    replies_.push_back({appended_, appended_});
  replies_.back().to += count;
  replies_size_ += count;
}

bool Output::owes_replies() const noexcept {
  const std::lock_guard lock(mutex_);
  return waits_writable_ && replies_size_ > kMostReplies;
}

std::uint64_t Output::replies_size() const noexcept {
  const std::lock_guard lock(mutex_);
  return replies_size_;
}

void Output::end_replies() noexcept {
  const std::lock_guard lock(mutex_);
  replies_ended_ = true;
}

bool Output::append_locked(std::initializer_list<Bytes> parts, SharedBuffer last,
                           std::uint32_t departing) {
  if (!stream_ || error() != 0) return false;
  std::size_t added = 0;
  for (const Bytes part : parts) added += part.size();
  // What may fail for want of memory comes first: all is appended or nothing.
  buffer_.make_room(added);
  if (departing != 0) {
    departures_.push_back({departing, appended_ + added + (last ? last->size() : 0)});
  }
  if (last) shared_.push_back({last, buffer_.size() + added, 0});
  for (const Bytes part : parts) buffer_.append(part);
  if (last) added += last->size();
  size_ += added;
  appended_ += added;
  if (size() >= kFlushSize && !waits_writable_) flush_locked();
  // Nothing is left to flush, but something to tell, when all of it has left just now.
  if (unflushed_ || (empty() && departures_.empty())) return false;
  unflushed_ = true;
  return true;
}

Bytes Output::front_locked() const noexcept {
  if (shared_.empty()) return Bytes(buffer_).subspan(head_);
  const Shared& next = shared_.front();
  if (head_ < next.before) return Bytes(buffer_).subspan(head_, next.before - head_);
  return Bytes(*next.bytes).subspan(next.sent);
}

void Output::drop_front_locked(std::size_t count) noexcept {
  size_ -= count;
  const std::uint64_t left = left_locked();
  while (!replies_.empty() && replies_.front().from < left) {
    Replies& first = replies_.front();
    const std::uint64_t to = std::min(first.to, left);
    replies_size_ -= to - first.from;
    first.from = to;
    if (first.from == first.to) replies_.pop_front();
  }
  if (shared_.empty() || head_ < shared_.front().before) {
    head_ += count;
    return;
  }
  Shared& next = shared_.front();
  next.sent += count;
  if (next.sent == next.bytes->size()) shared_.pop_front();
}

void Output::forget_locked() noexcept {
  while (!departures_.empty() && departures_.back().at > left_locked()) departures_.pop_back();
  if (buffer_.capacity() > kHighWater) buffer_ = {};
  buffer_.clear();
  shared_.clear();
  replies_.clear();
  replies_size_ = 0;
  head_ = 0;
  size_ = 0;
}

void Output::flush() noexcept {
  const std::lock_guard lock(mutex_);
  flush_locked();
}

void Output::flush_locked() noexcept {
  unflushed_ = false;
  if (!stream_) return;
  while (!empty()) {
    const Transfer sent = stream_->write(front_locked());
    if (sent.state == Transfer::State::kMoved) {
      drop_front_locked(sent.bytes);
      last_sent_ = now_ms();
      total_sent_.fetch_add(sent.bytes, std::memory_order_relaxed);
      continue;
    }
    if (sent.state == Transfer::State::kFailed) {
      // Reading says why the stream ended, after what had arrived before; writes just stop.
      error_ = sent.error;
      forget_locked();
    }
    break;
  }
  if (empty()) {
    forget_locked();
  } else if (head_ > kHighWater) {
    buffer_.drop_front(head_);
    for (Shared& shared : shared_) shared.before -= head_;
    head_ = 0;
  }
  if (!empty()) wait_writable_locked(true);
}

void Output::on_writable() noexcept {
  const std::lock_guard lock(mutex_);
  flush_locked();
  if (empty()) wait_writable_locked(false);
}

void Output::wait_writable_locked(bool waits) noexcept {
  if (waits_writable_ == waits) return;
  waits_writable_ = waits;
  if (stream_ && polled_) poll_locked();
}

void Output::pause_reading(bool paused) noexcept {
  const std::lock_guard lock(mutex_);
  if (reading_paused_ == paused) return;
  reading_paused_ = paused;
  if (stream_) poll_locked();
}

void Output::stop_polling() noexcept {
  const std::lock_guard lock(mutex_);
  if (!stream_ || !polled_) return;
  poller_.remove(stream_->descriptor());
  polled_ = false;
}

void Output::poll_locked() noexcept {
  const std::uint32_t interest =
      (reading_paused_ ? 0 : Poller::kReadable) | (waits_writable_ ? Poller::kWritable : 0);
  if (polled_) {
    poller_.change(stream_->descriptor(), token_, interest);
  } else {
    poller_.add(stream_->descriptor(), token_, interest);
    polled_ = true;
  }
}

}  // namespace aiomqtt
