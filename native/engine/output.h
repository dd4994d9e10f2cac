// The write side of a connection. As Paho sees it, writes are never short, refused or failed: they
// are appended here and leave when a thread has nothing better to do. What the kernel does not take
// waits for the I/O thread to find the stream writable.
//
// Thread-safe. The stream is attached and taken away on the I/O thread only.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <vector>

#include "mqtt/raw_buffer.h"
#include "mqtt/wire.h"
#include "platform/poller.h"
#include "streams/stream.h"

namespace aiomqtt {

class Output {
 public:
  // Above this, no further publishes are taken until less than kLowWater waits.
  static constexpr std::size_t kHighWater = 1024 * 1024;
  static constexpr std::size_t kLowWater = 256 * 1024;
  // Bytes of replies that may wait: four for each message that a peer can have in flight.
  static constexpr std::size_t kMostReplies = 256 * 1024;
  // So much is worth a system call of its own.
  static constexpr std::size_t kFlushSize = 64 * 1024;

  explicit Output(Poller& poller, Poller::Token token) noexcept : poller_(poller), token_(token) {}

  void attach(std::unique_ptr<Stream> stream);
  [[nodiscard]] std::unique_ptr<Stream> detach();

  // True when this is the first of what waits to be flushed: the caller sees to it that flush()
  // follows. Dropped once the stream is gone or failed.
  [[nodiscard]] bool append(std::initializer_list<Bytes> parts);
  // The same, with a last part that is shared instead of copied, unless it is null. `departing`: an
  // operation that is over when the kernel has its last byte; 0: none.
  [[nodiscard]] bool append(std::initializer_list<Bytes> parts, SharedBuffer last,
                            std::uint32_t departing = 0);
  [[nodiscard]] bool has_departed() const noexcept;
  // Operations of which the kernel has all bytes, in their order, each told once.
  [[nodiscard]] std::vector<std::uint32_t> take_departed();
  // The same for what answers the broker: acknowledgements and PINGREQ. Refused after
  // end_replies(), because nothing may follow DISCONNECT [MQTT-3.14.4-1].
  [[nodiscard]] bool reply(Bytes bytes);
  void end_replies() noexcept;
  // Whether the peer takes so few of our replies that it is to be read no further: on_writable() is
  // sure to come then.
  [[nodiscard]] bool owes_replies() const noexcept;
  // Bytes of replies that have not left.
  [[nodiscard]] std::uint64_t replies_size() const noexcept;
  void flush() noexcept;
  // The poller found the stream writable: flushes. Once a write would block, this alone ends the
  // wait, even if another flush was faster: whoever waits for room is sure to hear of it.
  void on_writable() noexcept;
  void pause_reading(bool paused) noexcept;
  // The stream broke while reading is paused: polling it would report that for ever. What it still
  // holds, and how it broke, is read when reading goes on.
  void stop_polling() noexcept;

  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  // Sequentially consistent: outbound.cpp weighs it against what waits, as the I/O thread does.
  [[nodiscard]] std::size_t size() const noexcept { return size_.load(); }
  [[nodiscard]] bool congested() const noexcept { return size() > kHighWater || error() != 0; }
  // When bytes last left, in milliseconds of the steady clock.
  [[nodiscard]] std::int64_t last_sent() const noexcept {
    return last_sent_.load(std::memory_order_relaxed);
  }
  // Bytes that have left so far.
  [[nodiscard]] std::uint64_t total_sent() const noexcept {
    return total_sent_.load(std::memory_order_relaxed);
  }
  // Bytes that were ever appended.
  [[nodiscard]] std::uint64_t total_appended() const noexcept {
    const std::lock_guard lock(mutex_);
    return appended_;
  }
  // The I/O thread's view of the stream, which only it may end.
  [[nodiscard]] Stream* stream() const noexcept { return stream_.get(); }
  // The errno that writing failed with, 0 if it did not.
  [[nodiscard]] int error() const noexcept { return error_.load(std::memory_order_relaxed); }

 private:
  // Its bytes come before what stands at `before` in buffer_.
  struct Shared {
    SharedBuffer bytes;
    std::size_t before = 0;
    std::size_t sent = 0;
  };

  // An operation, and how many bytes will have left when its last one has.
  struct Departure {
    std::uint32_t operation = 0;
    std::uint64_t at = 0;
  };

  // Which of the bytes that were ever appended are replies.
  struct Replies {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
  };

  [[nodiscard]] bool append_locked(std::initializer_list<Bytes> parts, SharedBuffer last = {},
                                   std::uint32_t departing = 0);
  void note_replies_locked(std::size_t count);
  // Of all that were ever appended.
  [[nodiscard]] std::uint64_t left_locked() const noexcept { return appended_ - size(); }
  // What comes next; empty when nothing waits.
  [[nodiscard]] Bytes front_locked() const noexcept;
  void drop_front_locked(std::size_t count) noexcept;
  void forget_locked() noexcept;
  void flush_locked() noexcept;
  void wait_writable_locked(bool waits) noexcept;
  void poll_locked() noexcept;

  mutable std::mutex mutex_;
  Poller& poller_;
  const Poller::Token token_;
  std::unique_ptr<Stream> stream_;
  RawBuffer buffer_;
  std::size_t head_ = 0;
  std::deque<Shared> shared_;
  std::deque<Departure> departures_;
  std::deque<Replies> replies_;  // those that have not left
  std::uint64_t replies_size_ = 0;
  std::uint64_t appended_ = 0;  // bytes, ever
  bool unflushed_ = false;
  bool replies_ended_ = false;
  bool waits_writable_ = false;
  bool reading_paused_ = false;
  bool polled_ = false;
  std::atomic<std::size_t> size_{0};
  std::atomic<std::int64_t> last_sent_{0};
  std::atomic<std::uint64_t> total_sent_{0};
  std::atomic<int> error_{0};
};

}  // namespace aiomqtt
