// What is fuzzed: everything native that takes bytes apart which others wrote. Each target takes
// one input and fails by a sanitizer's report or by throwing. npm run fuzz looks for new inputs;
// those worth keeping stand in corpus/, which the native tests run through
// (tests/fuzz_corpus_test.cpp).
//
// Command batches are no target: ts/engine/command-batch.ts writes them, and nothing of them comes
// from outside but topics, properties and payloads, which are checked before.
#pragma once

#include "mqtt/wire.h"

namespace aiomqtt::fuzz {

// A connection from its first byte to its end. Byte 0: how it is set up; byte 1: how the stream is
// cut into reads; the rest is what the broker sends.
void connection(Bytes input);
// One packet, taken apart by the parser of its type. Byte 0: the protocol version.
void packet(Bytes input);
// A property list in a packet of each type.
void properties(Bytes input);
// What a session left behind, taken up by a connection of the same session.
void session(Bytes input);
// The same bytes cut in two ways give the same packets. Bytes 0 and 1: the ways.
void stream(Bytes input);
// Well-formedness, compared with the definition.
void utf8(Bytes input);

struct Target {
  const char* name;
  void (*run)(Bytes input);
};

inline constexpr Target kTargets[] = {
    {"connection", connection}, {"packet", packet}, {"properties", properties},
    {"session", session},       {"stream", stream}, {"utf8", utf8},
};

}  // namespace aiomqtt::fuzz
