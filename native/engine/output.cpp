#include "engine/output.h"

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
  buffer_ = {};
  head_ = 0;
  size_ = 0;
  return std::move(stream_);
}

bool Output::append(std::initializer_list<Bytes> parts) {
  const std::lock_guard lock(mutex_);
  return append_locked(parts);
}

bool Output::reply(Bytes bytes) {
  const std::lock_guard lock(mutex_);
  return !replies_ended_ && append_locked({bytes});
}

void Output::end_replies() noexcept {
  const std::lock_guard lock(mutex_);
  replies_ended_ = true;
}

bool Output::append_locked(std::initializer_list<Bytes> parts) {
  if (!stream_ || error() != 0) return false;
  for (const Bytes part : parts) buffer_.append(part);
  size_ = buffer_.size() - head_;
  if (size() >= kFlushSize && !waits_writable_) flush_locked();
  if (unflushed_ || empty()) return false;
  unflushed_ = true;
  return true;
}

void Output::flush() noexcept {
  const std::lock_guard lock(mutex_);
  flush_locked();
}

void Output::flush_locked() noexcept {
  unflushed_ = false;
  if (!stream_) return;
  while (head_ < buffer_.size()) {
    const Transfer sent = stream_->write(Bytes(buffer_).subspan(head_));
    if (sent.state == Transfer::State::kMoved) {
      head_ += sent.bytes;
      last_sent_ = now_ms();
      continue;
    }
    if (sent.state == Transfer::State::kFailed) {
      // Reading says why the stream ended, after what had arrived before; writes just stop.
      error_ = sent.error;
      head_ = buffer_.size();
    }
    break;
  }
  if (head_ == buffer_.size()) {
    if (buffer_.capacity() > kHighWater) {
      buffer_ = {};
    } else {
      buffer_.clear();
    }
    head_ = 0;
  } else if (head_ > kHighWater) {
    buffer_.drop_front(head_);
    head_ = 0;
  }
  size_ = buffer_.size() - head_;
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
