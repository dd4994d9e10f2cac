#include "mqtt/wire.h"

#include "tests/bytes.h"
#include "tests/harness.h"

namespace aiomqtt::testing {
namespace {

VariableByteInteger read(const Buffer& from) {
  return read_variable_byte_integer(ExactCopy(from).view());
}

TEST("variable byte integers: the limits of MQTT 5 table 1-1") {
  const struct {
    Buffer encoded;
    std::uint32_t value;
  } table[] = {
      {{0x00}, 0},
      {{0x7f}, 127},
      {{0x80, 0x01}, 128},
      {{0xff, 0x7f}, 16383},
      {{0x80, 0x80, 0x01}, 16384},
      {{0xff, 0xff, 0x7f}, 2097151},
      {{0x80, 0x80, 0x80, 0x01}, 2097152},
      {{0xff, 0xff, 0xff, 0x7f}, 268435455},
  };
  for (const auto& row : table) {
    const Note note(shown(row.encoded));
    CHECK_EQ(variable_byte_integer(row.value), row.encoded);
    const auto whole = read(row.encoded);
    CHECK_EQ(whole.state, VariableByteInteger::State::kComplete);
    CHECK_EQ(whole.value, row.value);
    CHECK_EQ(whole.length, row.encoded.size());
    // What follows is not looked at.
    const auto head = read(bytes(row.encoded, 0xff));
    CHECK_EQ(head.state, VariableByteInteger::State::kComplete);
    CHECK_EQ(head.value, row.value);
    CHECK_EQ(head.length, row.encoded.size());
  }
}

TEST("variable byte integers: an encoding that stops early is short, not malformed") {
  CHECK_EQ(read({}).state, VariableByteInteger::State::kShort);
  CHECK_EQ(read({0x80}).state, VariableByteInteger::State::kShort);
  CHECK_EQ(read({0x80, 0xff}).state, VariableByteInteger::State::kShort);
  CHECK_EQ(read({0xff, 0xff, 0xff}).state, VariableByteInteger::State::kShort);
}

TEST("variable byte integers: more than four bytes, or more than needed, is malformed") {
  CHECK_EQ(read({0x80, 0x80, 0x80, 0x80}).state, VariableByteInteger::State::kMalformed);
  CHECK_EQ(read({0xff, 0xff, 0xff, 0xff, 0x01}).state, VariableByteInteger::State::kMalformed);
  CHECK_EQ(read({0x80, 0x00}).state, VariableByteInteger::State::kMalformed);
  CHECK_EQ(read({0xff, 0x80, 0x00}).state, VariableByteInteger::State::kMalformed);
  CHECK_EQ(read({0x81, 0x80, 0x80, 0x00}).state, VariableByteInteger::State::kMalformed);
}

TEST("big-endian integers are read from any address, at their full range") {
  const Buffer from = {0x01, 0xff, 0xfe, 0xfd, 0xfc, 0x80, 0x00, 0x00, 0x00};
  CHECK_EQ(read_u16(from.data()), 0x01ff);
  CHECK_EQ(read_u16(from.data() + 1), 0xfffe);
  CHECK_EQ(read_u32(from.data() + 1), 0xfffefdfcU);
  CHECK_EQ(read_u32(from.data() + 5), 0x80000000U);
}

}  // namespace
}  // namespace aiomqtt::testing
