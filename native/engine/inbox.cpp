#include "engine/inbox.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace aiomqtt {

Inbox::Inbox(std::function<void()> ring, std::function<void()> on_room)
    : ring_(std::move(ring)), on_room_(std::move(on_room)) {
  constexpr std::size_t kSpareChunks = 16;
  spare_.reserve(kSpareChunks);
}

void Inbox::Writer::append(Record words, Bytes first, Bytes second, Bytes third) {
  if (inbox_.closed_) return;
  const std::size_t size = first.size() + second.size() + third.size();
  // What may fail for want of memory comes first: a record is there as a whole or not at all.
  Chunk& chunk = inbox_.chunk_for(size);
  inbox_.size_ += size + sizeof words;
  words[record::kOffset] = static_cast<std::uint32_t>(chunk.bytes.size());
  chunk.words.insert(chunk.words.end(), words.begin(), words.end());
  chunk.bytes.append(first);
  chunk.bytes.append(second);
  chunk.bytes.append(third);
}

void Inbox::Writer::append_whole(Record words, RawBuffer bytes, std::size_t offset) {
  if (inbox_.closed_) return;
  Chunk& chunk = inbox_.new_chunk(0);
  inbox_.size_ += bytes.size() + sizeof words;
  words[record::kOffset] = static_cast<std::uint32_t>(offset);
  chunk.words.insert(chunk.words.end(), words.begin(), words.end());
  chunk.bytes = std::move(bytes);
}

Inbox::Chunk& Inbox::chunk_for(std::size_t bytes) {
  if (!chunks_.empty()) {
    Chunk& last = *chunks_.back();
    const bool has_room = last.words.size() < kRecordsAChunk * record::kWords &&
                          last.lent + last.bytes.size() + bytes <= kBytesAChunk;
    if (has_room) {
      if (last.words.size() + record::kWords > last.words.capacity()) {
        last.words.reserve(2 * last.words.capacity());
      }
      return last;
    }
  }
  return new_chunk(std::max(bytes, kBytesAChunk));
}

Inbox::Chunk& Inbox::new_chunk(std::size_t bytes) {
  std::unique_ptr<Chunk> chunk;
  if (spare_.empty()) {
    chunk = std::make_unique<Chunk>();
  } else {
    chunk = std::move(spare_.back());
    spare_.pop_back();
  }
  chunk->bytes.reserve(bytes);
  chunk->words.reserve(record::kWords);
  chunks_.push_back(std::move(chunk));
  return *chunks_.back();
}

void Inbox::Writer::note_ended() noexcept {
  if (--inbox_.connections_ == 0) inbox_.topics_.clear();
}

void Inbox::note_begun() {
  const std::lock_guard lock(mutex_);
  ++connections_;
}

void Inbox::ring() {
  const std::lock_guard lock(mutex_);
  ring_if_needed();
}

void Inbox::hold_bell() {
  const std::lock_guard lock(mutex_);
  rung_ = true;
}

bool Inbox::let_ring() {
  const std::lock_guard lock(mutex_);
  rung_ = !chunks_.empty();
  return rung_;
}

void Inbox::ring_if_needed() {
  if (rung_ || closed_ || chunks_.empty()) return;
  rung_ = true;
  ring_();
}

void Inbox::call() {
  const std::lock_guard lock(mutex_);
  if (rung_ || closed_) return;
  rung_ = true;
  ring_();
}

std::uint64_t Inbox::visits() const {
  const std::lock_guard lock(mutex_);
  return visits_;
}

RawBuffer Inbox::lend() {
  const std::lock_guard lock(mutex_);
  if (chunks_.empty() || chunks_.front()->bytes.size() < kLentFrom) return {};
  Chunk& chunk = *chunks_.front();
  chunk.lent = chunk.bytes.size();
  return std::exchange(chunk.bytes, {});
}

Inbox::Drained Inbox::drain(std::span<std::uint8_t> slab, std::size_t offset,
                            std::span<std::uint32_t> index) {
  std::unique_ptr<Chunk> chunk;
  bool has_room_again = false;
  {
    const std::lock_guard lock(mutex_);
    ++visits_;
    if (chunks_.empty()) {
      rung_ = false;
      return {};
    }
    const std::size_t size = chunks_.front()->bytes.size() + chunks_.front()->lent;
    if (slab.size() - offset < size) return {0, size};
    chunk = std::move(chunks_.front());
    chunks_.pop_front();
    size_ -= chunk->size();
    if (was_full_ && size_ < kRoomAt) {
      was_full_ = false;
      has_room_again = true;
    }
  }
  if (has_room_again) on_room_();
  if (!chunk->bytes.empty()) {
    std::memcpy(slab.data() + offset, chunk->bytes.data(), chunk->bytes.size());
  }
  const std::size_t records = chunk->words.size() / record::kWords;
  std::memcpy(index.data(), chunk->words.data(), chunk->words.size() * sizeof(std::uint32_t));
  for (std::size_t i = 0; i < records; ++i) {
    index[i * record::kWords + record::kOffset] += static_cast<std::uint32_t>(offset);
  }
  recycle(std::move(chunk));
  return {records, 0};
}

void Inbox::recycle(std::unique_ptr<Chunk> chunk) noexcept {
  // A chunk that had to grow for one large payload is not kept.
  if (chunk->bytes.capacity() > 2 * kBytesAChunk) return;
  chunk->words.clear();
  chunk->bytes.clear();
  chunk->lent = 0;
  const std::lock_guard lock(mutex_);
  if (spare_.size() < spare_.capacity()) spare_.push_back(std::move(chunk));
}

bool Inbox::is_full() {
  const std::lock_guard lock(mutex_);
  if (size_ >= kFullAt && !closed_) was_full_ = true;
  return was_full_;
}

void Inbox::close() noexcept {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  chunks_.clear();
  spare_.clear();
  size_ = 0;
  was_full_ = false;
}

}  // namespace aiomqtt
