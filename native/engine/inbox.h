// What waits for one JavaScript environment: messages and events, packed as bytes and an index of
// integers, so that a burst crosses into JavaScript at once.
//
// Threads: the engine's two threads write, the environment's thread drains. One mutex, held by a
// Writer for a burst. The doorbell rings at most once between two drains that found nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "engine/records.h"
#include "engine/topic_table.h"
#include "mqtt/raw_buffer.h"
#include "mqtt/wire.h"

namespace aiomqtt {

class Inbox {
 public:
  static constexpr std::size_t kRecordsAChunk = record::kLimit;
  // Small, because a message that JavaScript keeps may keep the whole chunk it came in.
  static constexpr std::size_t kBytesAChunk = chunk::kBytes;
  // A message of this size is not copied on its way to JavaScript.
  static constexpr std::size_t kLentFrom = large::kFrom;
  // While JavaScript is too busy to drain, reading stops at kFullAt bytes, as it does in a client
  // that reads on the event loop, and goes on below kRoomAt.
  static constexpr std::size_t kFullAt = 4 * 1024 * 1024;
  static constexpr std::size_t kRoomAt = 1024 * 1024;

  // `ring` is called by an engine thread with the inbox locked; it must not block. `on_room` is
  // called by the draining thread when the inbox was full and has room again.
  Inbox(std::function<void()> ring, std::function<void()> on_room);

  // kLater: the writer sees to it that ring() follows, so that more can be drained at once.
  enum class Ring : std::uint8_t { kAtEnd, kLater };

  // Holds the inbox while a burst is written; rings when it ends.
  class Writer {
   public:
    explicit Writer(Inbox& inbox, Ring ring = Ring::kAtEnd)
        : inbox_(inbox), lock_(inbox.mutex_), ring_(ring) {}
    ~Writer() {
      if (ring_ == Ring::kAtEnd) inbox_.ring_if_needed();
    }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    // Appends a record with its bytes: first, second, third, one after the other.
    void append(Record record, Bytes first = {}, Bytes second = {}, Bytes third = {});
    // Appends a record whose bytes are in a buffer of their own, from `offset` on: lend() gives
    // that buffer away as it is.
    void append_whole(Record record, RawBuffer bytes, std::size_t offset);
    TopicTable& topics() { return inbox_.topics_; }
    // The record that was just appended is the last of its connection. With the environment's last
    // connection its topics go; JavaScript forgets them with that record.
    void note_ended() noexcept;

   private:
    Inbox& inbox_;
    std::unique_lock<std::mutex> lock_;
    const Ring ring_;
  };

  // A connection begins, which note_ended() follows.
  void note_begun();

  // Rings if something waits that was not rung for.
  void ring();
  // Rings even if nothing waits.
  void call();
  // How often JavaScript has come by.
  [[nodiscard]] std::uint64_t visits() const;
  // The environment's thread: it writes here itself and looks afterwards, so nothing rings until
  // let_ring() says that nothing waits, or drain() does.
  void hold_bell();
  // True: something waits, and is to be drained.
  [[nodiscard]] bool let_ring();

  struct Drained {
    std::size_t records = 0;
    std::size_t needed = 0;  // bytes of room that the next events need, when it was too little
  };

  // Copies the oldest chunk: bytes to slab[offset...], records to index, their offsets moved along.
  // `index` has room for kRecordsAChunk records.
  Drained drain(std::span<std::uint8_t> slab, std::size_t offset, std::span<std::uint32_t> index);

  // The bytes of the oldest chunk, if they are large and in a buffer of their own; otherwise
  // empty. They are the slab of the drain() that must follow, at offset 0, and copied nowhere.
  [[nodiscard]] RawBuffer lend();

  // True when nothing more should be read for this environment until `on_room` is called.
  [[nodiscard]] bool is_full();

  // The environment goes: nothing rings or is kept from now on.
  void close() noexcept;

 private:
  struct Chunk {
    std::vector<std::uint32_t> words;
    RawBuffer bytes;
    std::size_t lent = 0;  // how many bytes lend() has given away

    [[nodiscard]] std::size_t size() const noexcept {
      return bytes.size() + lent + words.size() * sizeof(std::uint32_t);
    }
  };

  Chunk& chunk_for(std::size_t bytes);
  // The newest chunk, with room for a record and so many bytes.
  Chunk& new_chunk(std::size_t bytes);
  void ring_if_needed();
  void recycle(std::unique_ptr<Chunk> chunk) noexcept;

  mutable std::mutex mutex_;
  std::function<void()> ring_;
  std::function<void()> on_room_;
  std::deque<std::unique_ptr<Chunk>> chunks_;
  std::vector<std::unique_ptr<Chunk>> spare_;
  TopicTable topics_;
  std::size_t connections_ = 0;
  std::size_t size_ = 0;
  std::uint64_t visits_ = 0;
  bool rung_ = false;
  bool was_full_ = false;
  bool closed_ = false;
};

}  // namespace aiomqtt
