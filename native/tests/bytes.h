// Builds what travels on the wire, piece by piece.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mqtt/wire.h"

namespace aiomqtt::testing {

using Buffer = std::vector<std::uint8_t>;

inline constexpr int kVersions[] = {kMqtt31, kMqtt311, kMqtt5};

inline void put(Buffer& to, int byte) { to.push_back(static_cast<std::uint8_t>(byte)); }
inline void put(Buffer& to, std::string_view text) {
  to.insert(to.end(), text.begin(), text.end());
}
inline void put(Buffer& to, const Buffer& bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

// One after the other: integers as a byte each, strings and buffers as they are.
template <typename... Parts>
Buffer bytes(const Parts&... parts) {
  Buffer result;
  (put(result, parts), ...);
  return result;
}

inline Buffer u16(std::uint32_t value) {
  return bytes(static_cast<int>(value >> 8 & 255), static_cast<int>(value & 255));
}

inline Buffer u32(std::uint32_t value) { return bytes(u16(value >> 16), u16(value & 0xffff)); }

inline Buffer variable_byte_integer(std::size_t value) {
  Buffer result;
  do {
    put(result, static_cast<int>(value & 127) | (value > 127 ? 128 : 0));
    value >>= 7;
  } while (value > 0);
  return result;
}

// A string with its two bytes of length.
inline Buffer field(std::string_view text) {
  return bytes(u16(static_cast<std::uint32_t>(text.size())), text);
}

// A property list with its length prefix.
template <typename... Parts>
Buffer properties(const Parts&... parts) {
  const Buffer list = bytes(parts...);
  return bytes(variable_byte_integer(list.size()), list);
}

// A packet: the byte of type and flags, the remaining length, and the body.
template <typename... Parts>
Buffer packet(int first, const Parts&... parts) {
  const Buffer body = bytes(parts...);
  return bytes(first, variable_byte_integer(body.size()), body);
}

// A body that is different for each number, and recognisable at every byte.
inline Buffer patterned(std::uint32_t number, std::size_t size) {
  Buffer body = u32(number);
  body.resize(size);
  for (std::size_t i = 4; i < size; ++i) {
    body[i] = static_cast<std::uint8_t>((i * 2654435761U >> 13) + number + i);
  }
  return body;
}

inline Buffer copy_of(Bytes from) { return {from.begin(), from.end()}; }
inline std::string text_of(Bytes from) { return {from.begin(), from.end()}; }

// A copy in an allocation of exactly its size, so that AddressSanitizer sees every byte read
// beyond.
class ExactCopy {
 public:
  explicit ExactCopy(Bytes from) : size_(from.size()), bytes_(new std::uint8_t[from.size()]) {
    std::ranges::copy(from, bytes_.get());
  }
  [[nodiscard]] Bytes view() const noexcept { return {bytes_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<std::uint8_t[]> bytes_;
};

inline bool lies_within(Bytes part, Bytes whole) {
  if (part.empty()) return true;
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

// Takes a whole packet apart; false when its fixed header and its size do not agree.
inline bool split_packet(Bytes from, Packet& to) {
  if (from.size() < 2) return false;
  const auto length = read_variable_byte_integer(from.subspan(1));
  if (length.state != VariableByteInteger::State::kComplete) return false;
  if (from.size() != 1 + length.length + length.value) return false;
  to.type = from[0] >> 4;
  to.flags = from[0] & 15;
  to.bytes = from;
  to.body = from.subspan(1 + length.length);
  return true;
}

}  // namespace aiomqtt::testing
