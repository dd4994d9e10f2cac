#include "mqtt/utf8.h"

namespace aiomqtt {
namespace {

// Length of the well-formed multi-byte sequence at `at`, or 0 (Unicode 15, table 3-7).
std::size_t sequence_length(const std::uint8_t* at, std::size_t left) noexcept {
  const auto continuation = [&](std::size_t i) { return (at[i] & 0xc0) == 0x80; };
  const std::uint8_t lead = at[0];
  if (lead >= 0xc2 && lead <= 0xdf) return left >= 2 && continuation(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    if (left < 3 || !continuation(1) || !continuation(2)) return 0;
    if (lead == 0xe0 && at[1] < 0xa0) return 0;
    if (lead == 0xed && at[1] > 0x9f) return 0;
    return 3;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if (left < 4 || !continuation(1) || !continuation(2) || !continuation(3)) return 0;
    if (lead == 0xf0 && at[1] < 0x90) return 0;
    if (lead == 0xf4 && at[1] > 0x8f) return 0;
    return 4;
  }
  return 0;
}

template <typename Forbidden>
bool is_well_formed(Bytes text, Forbidden forbidden) noexcept {
  const std::uint8_t* at = text.data();
  const std::uint8_t* const end = at + text.size();
  while (at != end) {
    if (*at < 0x80) {
      if (forbidden(*at)) return false;
      ++at;
      continue;
    }
    const std::size_t length = sequence_length(at, static_cast<std::size_t>(end - at));
    if (length == 0) return false;
    at += length;
  }
  return true;
}

}  // namespace

bool is_mqtt_utf8(Bytes text) noexcept {
  return is_well_formed(text, [](std::uint8_t c) { return c == 0; });
}

bool is_topic_name(Bytes text) noexcept {
  return is_well_formed(text, [](std::uint8_t c) { return c == 0 || c == '+' || c == '#'; });
}

}  // namespace aiomqtt
