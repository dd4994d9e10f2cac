#include "mqtt/raw_buffer.h"

#include "tests/bytes.h"
#include "tests/harness.h"

namespace aiomqtt::testing {
namespace {

TEST("raw buffer: it grows by what is appended, also by nothing and from nothing") {
  RawBuffer buffer;
  CHECK(buffer.empty());
  buffer.append({});
  CHECK_EQ(buffer, Buffer{});
  Buffer expected;
  for (std::uint32_t i = 0; i < 2'000; ++i) {
    const Buffer part = patterned(i, i % 50);
    buffer.append(part);
    put(expected, part);
  }
  CHECK_EQ(buffer.size(), expected.size());
  CHECK(are_equal(buffer, expected));
  CHECK(buffer.capacity() >= buffer.size());
  CHECK(buffer.capacity() <= 2 * buffer.size() + 50);
}

TEST("raw buffer: what is kept survives reserve(), resize() and drop_front()") {
  RawBuffer buffer{1, 2, 3, 4, 5};
  buffer.reserve(10'000);
  CHECK_EQ(buffer, bytes(1, 2, 3, 4, 5));
  buffer.reserve(10);
  CHECK_EQ(buffer.capacity(), 10'000U);
  buffer.resize(20'000);
  CHECK_EQ(Bytes(buffer).first(5), bytes(1, 2, 3, 4, 5));
  buffer.resize(5);
  buffer.drop_front(2);
  CHECK_EQ(buffer, bytes(3, 4, 5));
  buffer.drop_front(3);
  CHECK(buffer.empty());
  buffer.assign(bytes(9));
  CHECK_EQ(buffer, bytes(9));
  buffer.clear();
  CHECK(buffer.empty());
}

TEST("raw buffer: copies are apart, and what was moved from is empty") {
  RawBuffer first{1, 2, 3};
  RawBuffer second = first;
  second[0] = 9;
  CHECK_EQ(first, bytes(1, 2, 3));
  RawBuffer third = std::move(second);
  CHECK_EQ(third, bytes(9, 2, 3));
  first = std::move(third);
  CHECK_EQ(first, bytes(9, 2, 3));
  first = {};
  CHECK(first.empty());
  CHECK_EQ(first.capacity(), 0U);
}

}  // namespace
}  // namespace aiomqtt::testing
