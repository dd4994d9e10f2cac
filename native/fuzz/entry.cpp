// libFuzzer's way into one target, which AIOMQTT_FUZZ_TARGET names.
#include "fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  aiomqtt::fuzz::AIOMQTT_FUZZ_TARGET({input, size});
  return 0;
}
