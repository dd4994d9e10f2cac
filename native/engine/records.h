// The records of the index that JavaScript gets, built by the words that boundary.h numbers.
// Whoever stores one fills in where its bytes are.
#pragma once

#include <array>
#include <cstdint>

#include "engine/boundary.h"

namespace aiomqtt {

using Record = std::array<std::uint32_t, record::kWords>;

// A record of any kind but MESSAGE and SESSION. `head`: kind | flags << 8. `length`: of its bytes.
[[nodiscard]] constexpr Record make_record(std::uint32_t head, std::uint32_t connection,
                                           std::uint32_t subject, std::size_t length = 0,
                                           std::uint32_t code = 0, int error = 0) noexcept {
  Record result{};
  result[record::kHead] = head;
  result[record::kConnection] = connection;
  result[record::kSubject] = subject;
  result[record::kLength] = static_cast<std::uint32_t>(length);
  result[record::kCode] = code;
  result[record::kErrno] = static_cast<std::uint32_t>(error);
  return result;
}

}  // namespace aiomqtt
