#include "mqtt/utf8.h"

#include "tests/bytes.h"
#include "tests/harness.h"

namespace aiomqtt::testing {
namespace {

bool is_good(const Buffer& text) { return is_mqtt_utf8(ExactCopy(text).view()); }

// The encoding by its definition, whatever the code point.
Buffer encoded(std::uint32_t code_point) {
  const auto tail = [&](int shift) {
    return static_cast<int>(0x80 | (code_point >> shift & 0x3f));
  };
  const auto head = [&](int lead, int shift) {
    return lead | static_cast<int>(code_point >> shift);
  };
  if (code_point < 0x80) return bytes(static_cast<int>(code_point));
  if (code_point < 0x800) return bytes(head(0xc0, 6), tail(0));
  if (code_point < 0x10000) return bytes(head(0xe0, 12), tail(6), tail(0));
  return bytes(head(0xf0, 18), tail(12), tail(6), tail(0));
}

// A decoder of the obvious kind: the length from the lead byte, then the value, then its limits.
bool is_good_by_definition(Bytes text) {
  while (!text.empty()) {
    const std::uint8_t lead = text[0];
    std::size_t length = 1;
    std::uint32_t value = lead;
    if (lead >= 0x80) {
      length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
      if (lead < 0xc0 || lead >= 0xf8 || text.size() < length) return false;
      value = lead & (0x7fU >> length);
      for (std::size_t i = 1; i < length; ++i) {
        if (text[i] >> 6 != 2) return false;
        value = value << 6 | (text[i] & 0x3fU);
      }
    }
    const bool is_surrogate = value >= 0xd800 && value <= 0xdfff;
    if (value == 0 || value > 0x10ffff || is_surrogate) return false;
    if (encoded(value).size() != length) return false;
    text = text.subspan(length);
  }
  return true;
}

TEST("UTF-8: every code point but U+0000 and the surrogates is well-formed") {
  for (std::uint32_t code_point = 1; code_point <= 0x10ffff; ++code_point) {
    const bool is_surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
    if (is_mqtt_utf8(encoded(code_point)) != is_surrogate) continue;
    throw Failure("wrong for code point " + std::to_string(code_point));
  }
}

TEST("UTF-8: texts that are well-formed") {
  CHECK(is_good({}));
  CHECK(is_good(bytes("sensors/kitchen")));
  CHECK(is_good(bytes("Zürich/Außen/温度/🌡")));
  CHECK(is_good(bytes("\x01\x1f\x7f", "\xc2\x80", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf")));
  CHECK(is_good(bytes("\xef\xbb\xbf", "a byte order mark is a character like any other")));
}

TEST("UTF-8: texts that are ill-formed") {
  const struct {
    const char* what;
    Buffer text;
  } table[] = {
      {"U+0000", bytes("a", 0, "b")},
      {"U+0000 in two bytes", bytes(0xc0, 0x80)},
      {"a slash in two bytes", bytes(0xc0, 0xaf)},
      {"a slash in three bytes", bytes(0xe0, 0x80, 0xaf)},
      {"a slash in four bytes", bytes(0xf0, 0x80, 0x80, 0xaf)},
      {"the lowest lead that is always too long", bytes(0xc1, 0xbf)},
      {"the first surrogate", bytes(0xed, 0xa0, 0x80)},
      {"the last surrogate", bytes(0xed, 0xbf, 0xbf)},
      {"a pair of surrogates", bytes(0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80)},
      {"U+110000", bytes(0xf4, 0x90, 0x80, 0x80)},
      {"a lead of five bytes", bytes(0xf8, 0x88, 0x80, 0x80, 0x80)},
      {"a lead of six bytes", bytes(0xfc, 0x84, 0x80, 0x80, 0x80, 0x80)},
      {"0xfe", bytes(0xfe)},
      {"0xff", bytes(0xff)},
      {"a continuation alone", bytes(0x80)},
      {"a continuation too many", bytes("ü", 0x80)},
      {"a lead before ASCII", bytes(0xc3, "a")},
      {"a lead before a lead", bytes(0xe2, 0xc3, 0xbc)},
      {"an end within a character", bytes("temperature ", 0xe2, 0x82)},
  };
  for (const auto& row : table) {
    const Note note(row.what);
    CHECK(!is_good(row.text));
    CHECK(!is_topic_name(row.text));
  }
}

TEST("UTF-8: a text cut within a character is ill-formed, and nothing is read beyond it") {
  const Buffer text = bytes("aü€🌡");
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const Note note("size " + std::to_string(size));
    const bool is_boundary = size == text.size() || text[size] >> 6 != 2;
    CHECK_EQ(is_mqtt_utf8(ExactCopy(Bytes(text).first(size)).view()), is_boundary);
  }
}

TEST("UTF-8: all sequences of the bytes where rules change are judged as the definition says") {
  const Buffer edges = {0x00, 0x01, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                        0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
                        0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
  std::uint8_t text[4];
  for (int pair = 0; pair <= 0xffff; ++pair) {
    text[0] = static_cast<std::uint8_t>(pair >> 8);
    text[1] = static_cast<std::uint8_t>(pair);
    if (is_mqtt_utf8(Bytes(text, 2)) == is_good_by_definition(Bytes(text, 2))) continue;
    throw Failure("wrong for " + shown(Bytes(text, 2)));
  }
  for (const std::uint8_t a : edges) {
    for (const std::uint8_t b : edges) {
      for (const std::uint8_t c : edges) {
        for (const std::uint8_t d : edges) {
          text[0] = a, text[1] = b, text[2] = c, text[3] = d;
          if (is_mqtt_utf8(text) == is_good_by_definition(text)) continue;
          throw Failure("wrong for " + shown(Bytes(text)));
        }
      }
    }
  }
}

TEST("UTF-8: topic names have no wildcard characters") {
  CHECK(is_topic_name(bytes("a/b c/$d")));
  for (const char* topic : {"+", "#", "a/+/b", "a/#", "a+", "#a"}) {
    const Note note(topic);
    CHECK(!is_topic_name(bytes(topic)));
    CHECK(is_mqtt_utf8(bytes(topic)));
  }
}

}  // namespace
}  // namespace aiomqtt::testing
