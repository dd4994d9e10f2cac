// What newer C libraries' headers make of old names (symbols.json, "variants"), in terms of the old
// ones: so the addon runs with glibc 2.17, whichever the packaged Paho was compiled with.
#include <cctype>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {

// struct timespec on 32-bit systems that count seconds in 64 bits.
struct Timespec64 {
  std::int64_t seconds;
  std::int32_t nanoseconds;
  std::int32_t padding;
};

}  // namespace

extern "C" {

int seam_clock_gettime64(clockid_t clock, Timespec64* result) {
  timespec time{};
  const int rc = clock_gettime(clock, &time);
  *result = {
      .seconds = time.tv_sec, .nanoseconds = static_cast<std::int32_t>(time.tv_nsec), .padding = 0};
  return rc;
}

int seam_snprintf(char* into, std::size_t size, int, std::size_t, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length = std::vsnprintf(into, size, format, arguments);
  va_end(arguments);
  return length;
}

int seam_printf(int, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length = std::vprintf(format, arguments);
  va_end(arguments);
  return length;
}

void seam_never_called() { std::abort(); }

#ifdef __GLIBC__

// Every byte is printable: Paho copies the first of a payload for its trace, as they are. Indices
// go from -128 to 255.
const unsigned short** seam_ctype_table() {
  struct Table {
    unsigned short entries[384];
    const unsigned short* zero = entries + 128;
    constexpr Table() : entries{} {
      for (unsigned short& entry : entries) entry = _ISprint;
    }
  };
  static constinit Table table;
  return &table.zero;
}

#endif

}  // extern "C"
