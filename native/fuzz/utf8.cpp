#include "mqtt/utf8.h"

#include "fuzz/targets.h"
#include "tests/bytes.h"
#include "tests/harness.h"

namespace aiomqtt::fuzz {
namespace {

// Decodes code point by code point, as RFC 3629 defines it: the shortest form, no surrogates, none
// above U+10FFFF. False for anything else; the code points otherwise.
bool decode(Bytes text, std::vector<std::uint32_t>& into) {
  for (std::size_t at = 0; at < text.size();) {
    const std::uint8_t lead = text[at++];
    const int more = lead < 0x80       ? 0
                     : lead >> 5 == 6  ? 1
                     : lead >> 4 == 14 ? 2
                     : lead >> 3 == 30 ? 3
                                       : -1;
    if (more < 0) return false;
    std::uint32_t value = more == 0 ? lead : lead & (0x3fU >> more);
    for (int i = 0; i < more; ++i) {
      if (at == text.size() || text[at] >> 6 != 2) return false;
      value = value << 6 | (text[at++] & 0x3f);
    }
    constexpr std::uint32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};
    if (value < kSmallest[more] || value > 0x10ffff || value >> 11 == 0x1b) return false;
    into.push_back(value);
  }
  return true;
}

}  // namespace

void utf8(Bytes input) {
  using namespace aiomqtt::testing;
  const ExactCopy keep(input);
  std::vector<std::uint32_t> points;
  const bool decodes = decode(input, points);
  const auto has = [&](std::uint32_t point) {
    return std::ranges::find(points, point) != points.end();
  };
  CHECK_EQ(is_mqtt_utf8(keep.view()), decodes && !has(0));
  CHECK_EQ(is_topic_name(keep.view()), decodes && !has(0) && !has('+') && !has('#'));
}

}  // namespace aiomqtt::fuzz
